//! What shards hand over to each other: packets of rooms that span shards, and what the kernel gave to the wrong one.

use kaname_core::limits::BATCH;
use kaname_core::{Datagram, Time};
use kaname_io::{PacketIo, steer};

use super::{Round, carry_out_waiting, recycle};
use crate::mesh::Inbox;

impl<I: PacketIo> Round<'_, I> {
    fn me(&self) -> usize {
        self.around.id.0
    }

    /// What waits for other shards goes there. Ahead of our own copies, so that they encrypt theirs meanwhile.
    pub(super) fn hand_over(&mut self, now: Time) {
        if self.around.mesh.is_shared() {
            self.shard.hand_over(now, &mut self.around.mesh.links());
        }
    }

    /// Takes in what others handed over, within its share of time.
    pub(super) fn visits(&mut self, now: Time) -> std::io::Result<()> {
        let mesh = &self.around.mesh;
        let Some(inbox) = mesh.inbox(self.around.id.0).filter(|inbox| inbox.has_mail()) else {
            return Ok(());
        };
        self.steer.learn();
        while let Some(connection) = inbox.connections.pop() {
            self.io.adopt(connection);
        }
        self.strays(now)?;
        let mesh = &self.around.mesh;
        if mesh.deliver(self.around.id.0, &mut self.shard, now, BATCH) {
            self.drain(now)?;
            self.io.flush()?;
        }
        Ok(())
    }

    /// Datagrams that another shard received for our legs.
    fn strays(&mut self, now: Time) -> std::io::Result<()> {
        let me = self.me();
        let Some(inbox) = self.around.mesh.inbox(me) else { return Ok(()) };
        while self.strays.len() < BATCH
            && let Some(stray) = inbox.take_stray()
        {
            self.strays.push(stray);
        }
        if self.strays.is_empty() {
            return Ok(());
        }
        carry_out_waiting(&mut self.shard, self.around, (&mut self.forget, &mut self.aside), now);
        self.steer.figures.taken += self.strays.len() as u64;
        let mut batch = recycle(std::mem::take(&mut self.batch));
        batch.extend(self.strays.iter().map(|stray| Datagram::new(stray.path, stray.bytes())));
        // What is not ours either is nobody's: it goes no further.
        self.shard.ingest(now, &batch);
        self.batch = recycle(batch);
        for stray in self.strays.drain(..) {
            // Before the answer leaves: what the peer sends then comes to whoever received the check.
            if steer::named_by_check(stray.bytes()) == Some(me) && self.shard.has_path(&stray.path) {
                self.steer.tell(stray.from, stray.path);
            }
            inbox.return_stray(stray);
        }
        self.drain(now)?;
        self.io.flush()?;
        Ok(())
    }

    /// Whether others have handed something over.
    pub(super) fn has_mail(&self) -> bool {
        self.around.mesh.inbox(self.me()).is_some_and(Inbox::has_mail)
    }

    /// Others must wake us from now on; false: something has come, and there is no time to sleep.
    pub(super) fn lie_down(&self) -> bool {
        self.around.mesh.inbox(self.me()).is_none_or(Inbox::lie_down)
    }

    pub(super) fn get_up(&self) {
        if let Some(inbox) = self.around.mesh.inbox(self.me()) {
            inbox.get_up();
        }
    }

    /// After a fault: it must not cost the room of those that were being looked at, nor leave a port open.
    pub(super) fn give_back(&mut self) {
        if let Some(order) = self.aside.take() {
            self.obey(order);
        }
        if let Some(inbox) = self.around.mesh.inbox(self.around.id.0) {
            self.strays.drain(..).for_each(|stray| inbox.return_stray(stray));
        }
    }
}
