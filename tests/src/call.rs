//! People in a room: browsers on the node's own page.

use serde_json::Value;

use crate::browser::{Browser, Page};
use crate::compare::{best_frame, correlation, level_db, sound_likeness};
use crate::footage::{Cast, Footage};
use crate::{Error, Node};

/// Pictures are compared at this size: small enough to forgive what codecs do, large enough to tell frames apart.
pub const WIDTH: usize = 80;
/// Height that goes with it.
pub const HEIGHT: usize = 45;
/// A far picture is the sent one from this correlation on; a wrong one stays far below.
pub const SAME_PICTURE: f32 = 0.97;
/// The same for sound.
pub const SAME_SOUND: f32 = 0.75;

/// Somebody at the page.
pub struct Person {
    /// The name in the room.
    pub name: &'static str,
    /// The tab.
    pub page: Page,
    /// What camera and microphone play.
    pub footage: Footage,
    /// The browser, alive as long as the tab is needed.
    pub browser: Browser,
}

impl Person {
    /// Opens the page with a join link, and stays in the lobby.
    pub async fn arrive(
        test: &str,
        node: &Node,
        room: &str,
        name: &'static str,
        cast: Cast,
        query: &str,
    ) -> Result<Person, Error> {
        let footage = Footage::of(cast)?;
        let browser = Browser::start(test, name, &footage).await?;
        let page = browser.open(name, &node.join_url(room, name, query).await?).await?;
        Ok(Person { name, page, footage, browser })
    }

    /// Joins from the lobby and waits until connected.
    pub async fn join(&self) -> Result<(), Error> {
        self.page.click("join").await?;
        self.page.until("kaname.state === 'connected'").await
    }

    /// Waits until the camera of somebody else plays here.
    pub async fn sees(&self, other: &str) -> Result<(), Error> {
        self.page.until(&format!("plays(videoOf('{other}'))")).await
    }

    /// Grabs `count` pictures of a tile, as luma of [`WIDTH`] x [`HEIGHT`].
    pub async fn grab(&self, of: &str, source: &str, count: usize) -> Result<Vec<Vec<f32>>, Error> {
        let value =
            self.page.eval(&format!("grab(videoOf('{of}', '{source}'), {WIDTH}, {HEIGHT}, {count})")).await?;
        let pictures = value.as_array().ok_or_else(|| Error::Browser("no pictures".into()))?;
        Ok(pictures.iter().map(numbers).collect())
    }

    /// Listens to somebody else for some seconds.
    pub async fn listen(&self, to: &str, seconds: u32) -> Result<Vec<f32>, Error> {
        let track = format!(
            "kaname.tracks.find((t) => t.kind === 'audio' && t.direction === 'receive' && \
             t.peer === tileOf('{to}').dataset.peer).media"
        );
        self.listen_to(&track, seconds).await
    }

    /// Listens to what is played to the room for some seconds.
    pub async fn listen_to_announcer(&self, seconds: u32) -> Result<Vec<f32>, Error> {
        self.listen_to("byId('announcer-audio').srcObject.getAudioTracks()[0]", seconds).await
    }

    async fn listen_to(&self, track: &str, seconds: u32) -> Result<Vec<f32>, Error> {
        let value = self.page.eval(&format!("listen({track}, {seconds})")).await?;
        if value["rate"].as_u64() != Some(48_000) {
            return Err(Error::Browser(format!("sound at {} Hz", value["rate"])));
        }
        Ok(numbers(&value["samples"]).into_iter().map(|s| s / 32_768.0).collect())
    }

    /// Whether the page wrote errors to its console.
    pub fn complaints(&self) -> Vec<String> {
        let lines = self.browser.console();
        lines.into_iter().filter(|l| l.starts_with("exception:") || l.starts_with("error:")).collect()
    }
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().map_or_else(Vec::new, |a| a.iter().map(|n| n.as_f64().unwrap_or(0.0) as f32).collect())
}

/// What a comparison of grabbed pictures with a source gave.
#[derive(Debug, Clone)]
pub struct Likeness {
    /// For each grabbed picture, the source frame most like it and how much.
    pub best: Vec<(usize, f32)>,
}

impl Likeness {
    /// Compares grabbed pictures with a source.
    pub fn of(grabbed: &[Vec<f32>], footage: &Footage) -> Result<Likeness, Error> {
        let source = footage.thumbnails(WIDTH, HEIGHT)?;
        Ok(Likeness { best: grabbed.iter().map(|picture| best_frame(picture, &source)).collect() })
    }

    /// The least correlation of any picture with its best frame.
    pub fn worst(&self) -> f32 {
        self.best.iter().map(|b| b.1).fold(1.0, f32::min)
    }

    /// The greatest.
    pub fn greatest(&self) -> f32 {
        self.best.iter().map(|b| b.1).fold(-1.0, f32::max)
    }
}

/// Two people who see each other.
pub struct Two {
    /// The node between them.
    pub node: Node,
    /// With the footage as it is.
    pub ada: Person,
    /// With the mirrored footage.
    pub bo: Person,
}

impl Two {
    /// Both join; each sees the other.
    pub async fn meet(test: &str) -> Result<Two, Error> {
        let node = Node::start(test).await?;
        let query = "?sound=original";
        let ada = Person::arrive(test, &node, "lobby", "Ada", Cast::Ada, query).await?;
        ada.join().await?;
        let bo = Person::arrive(test, &node, "lobby", "Bo", Cast::Bo, query).await?;
        bo.join().await?;
        ada.sees("Bo").await?;
        bo.sees("Ada").await?;
        Ok(Two { node, ada, bo })
    }
}

/// Asserts that what `viewer` sees of `sender` is what `sender`'s camera plays, and not the other source.
pub async fn assert_picture(viewer: &Person, sender: &Person, foreign: &Footage) -> Result<(), Error> {
    let grabbed = viewer.grab(sender.name, "camera", 12).await?;
    let own = Likeness::of(&grabbed, &sender.footage)?;
    let wrong = Likeness::of(&grabbed, foreign)?;
    viewer.page.note(&format!("sees-{}", sender.name), &format!("own {own:?}\nforeign {wrong:?}\n"))?;
    assert!(own.worst() > SAME_PICTURE, "{} sees of {}: {own:?}", viewer.name, sender.name);
    // The negative control: the same measure must refuse footage that was not sent, and pictures out of order.
    assert!(wrong.greatest() < SAME_PICTURE, "the measure cannot tell footage apart: {wrong:?}");
    let mut shuffled = grabbed[0].clone();
    shuffled.rotate_left(WIDTH * HEIGHT / 2);
    let broken = Likeness::of(&[shuffled], &sender.footage)?;
    assert!(broken.greatest() < SAME_PICTURE, "the measure passes a torn picture: {broken:?}");
    let moving = grabbed.windows(2).filter(|w| correlation(&w[0], &w[1]) < 0.999_99).count();
    assert!(moving >= 4, "the picture stands still: {moving} changes");
    Ok(())
}

/// Stretches that are listened to at most. A browser whose machine has no time to spare breaks the sound at its
/// source; one whole stretch proves the way, and a wrong sound fails in all of them.
const STRETCHES: usize = 4;

/// Asserts that what `hearer` hears of `sender` is what `sender`'s microphone plays, and not the other source.
pub async fn assert_sound(hearer: &Person, sender: &Person, foreign: &Footage) -> Result<(), Error> {
    let (ours, theirs) = (sender.footage.samples()?, foreign.samples()?);
    let mut notes = String::new();
    for _ in 0..STRETCHES {
        let heard = hearer.listen(sender.name, 5).await?;
        let own = sound_likeness(&heard, &ours);
        let wrong = sound_likeness(&heard, &theirs);
        let line = format!("own {own}, foreign {wrong}, level {} dB\n", level_db(&heard));
        notes.push_str(&line);
        hearer.page.note(&format!("hears-{}", sender.name), &notes)?;
        assert!(wrong < SAME_SOUND, "the measure cannot tell speech apart: {line}");
        if own > SAME_SOUND && wrong < own - 0.1 {
            return Ok(());
        }
    }
    panic!("{} does not hear {}:\n{notes}", hearer.name, sender.name);
}
