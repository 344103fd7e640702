//! How recorders come and go.

use super::item::Work;
use super::record::Point;
use super::worker::{Place, Worker};
use super::{AudioError, AudioId, Listener, RecordOf, RecordTo, Side};
use kaname_media::Rate;

impl Worker {
    pub(super) fn record(&mut self, id: AudioId, of: &[RecordOf], to: RecordTo) -> Result<(), AudioError> {
        self.vacant(id)?;
        let rates = of.iter().map(|of| self.rate_of(*of)).collect::<Result<Vec<Rate>, _>>()?;
        let rate = rates.first().copied().unwrap_or(Rate::K8);
        let recorder = self.recorders.begin(id, of, to, rate)?;
        self.begun(id, recorder, of);
        Ok(())
    }

    pub(super) fn listen(
        &mut self,
        id: AudioId,
        of: RecordOf,
        rate: Rate,
        to: Box<dyn Listener>,
    ) -> Result<(), AudioError> {
        self.vacant(id)?;
        self.rate_of(of)?;
        let recorder = self.recorders.listen(id, to, rate)?;
        self.begun(id, recorder, &[of]);
        Ok(())
    }

    fn begun(&mut self, id: AudioId, recorder: u32, of: &[RecordOf]) {
        for (channel, of) in of.iter().enumerate() {
            self.attach(*of, Point::new(recorder, channel));
        }
        self.recorded.insert(recorder, of.iter().copied().map(Some).collect());
        self.names.insert(id, Place::Recorder(recorder));
    }

    /// The recorder's channels hear other points from now on.
    pub(super) fn record_from(&mut self, id: AudioId, of: Vec<Option<RecordOf>>) -> Result<(), AudioError> {
        let Place::Recorder(recorder) = self.place(id)? else { return Err(AudioError::Unfit) };
        if self.recorded.get(&recorder).is_none_or(|points| points.len() != of.len()) {
            return Err(AudioError::RecordPoints);
        }
        for point in of.iter().flatten() {
            self.rate_of(*point)?;
        }
        self.detach(recorder);
        for (channel, of) in of.iter().enumerate() {
            of.iter().for_each(|of| self.attach(*of, Point::new(recorder, channel)));
        }
        self.recorded.insert(recorder, of);
        Ok(())
    }

    /// No point is the recorder's any more.
    fn detach(&mut self, recorder: u32) {
        for of in self.recorded.remove(&recorder).unwrap_or_default().into_iter().flatten() {
            self.with_points(of, |points| points.retain(|(_, point)| point.recorder != recorder));
        }
    }

    /// The rate of what is heard at a point, if it is one.
    fn rate_of(&mut self, of: RecordOf) -> Result<Rate, AudioError> {
        match self.place(of.id)? {
            Place::Item(item) => match (&self.item(item)?.work, of.side) {
                (Work::Pipe(pipe), _) => Ok(pipe.transcoder.rate()),
                (Work::Tap(tap), Side::In) => Ok(tap.playout().rate()),
                (Work::Room(hall), Side::Out) => Ok(hall.room.rate()),
                _ => Err(AudioError::Unfit),
            },
            Place::Member(room, _) if of.side == Side::In => Ok(self.hall_at(room)?.room.rate()),
            _ => Err(AudioError::Unfit),
        }
    }

    fn attach(&mut self, of: RecordOf, point: Point) {
        self.with_points(of, |points| points.push((of.side, point)));
    }

    /// Lets a point's recorders be changed; nothing if it is no more.
    fn with_points(&mut self, of: RecordOf, change: impl FnOnce(&mut Vec<(Side, Point)>)) {
        match self.place(of.id) {
            Ok(Place::Item(item)) => match self.item(item).map(|item| &mut item.work) {
                Ok(Work::Pipe(pipe)) => {
                    change(&mut pipe.points);
                    pipe.settle();
                }
                Ok(Work::Tap(tap)) => change(&mut tap.points),
                Ok(Work::Room(hall)) => {
                    change(&mut hall.points);
                    hall.room.set_record(!hall.points.is_empty());
                }
                _ => {}
            },
            Ok(Place::Member(room, place)) => {
                let hall = self.hall_at(room).ok();
                if let Some(member) = hall.and_then(|hall| hall.member(place)) {
                    change(&mut member.points);
                }
            }
            _ => {}
        }
    }

    /// Ends a recorder; its file is completed.
    pub(super) fn end_recorder(&mut self, id: AudioId) {
        let Some(&Place::Recorder(place)) = self.names.get(&id) else { return };
        self.names.remove(&id);
        self.detach(place);
        self.recorders.end(place);
    }
}
