//! The commands.

use std::fmt;

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Command {
    /// `ping`
    #[default]
    Ping,
    /// `offer`
    Offer,
    /// `answer`
    Answer,
    /// `delete`
    Delete,
    /// `query`
    Query,
    /// `list`
    List,
    /// `statistics`
    Statistics,
    /// `start recording`
    StartRecording,
    /// `stop recording`
    StopRecording,
    /// `pause recording`
    PauseRecording,
    /// `start forwarding`
    StartForwarding,
    /// `stop forwarding`
    StopForwarding,
    /// `block DTMF`
    BlockDtmf,
    /// `unblock DTMF`
    UnblockDtmf,
    /// `block media`
    BlockMedia,
    /// `unblock media`
    UnblockMedia,
    /// `silence media`
    SilenceMedia,
    /// `unsilence media`
    UnsilenceMedia,
    /// `play media`
    PlayMedia,
    /// `stop media`
    StopMedia,
    /// `play DTMF`
    PlayDtmf,
    /// `publish`
    Publish,
    /// `subscribe request`
    SubscribeRequest,
    /// `subscribe answer`
    SubscribeAnswer,
    /// `unsubscribe`
    Unsubscribe,
}

impl Command {
    /// All of them.
    pub const ALL: [Command; 25] = [
        Command::Ping,
        Command::Offer,
        Command::Answer,
        Command::Delete,
        Command::Query,
        Command::List,
        Command::Statistics,
        Command::StartRecording,
        Command::StopRecording,
        Command::PauseRecording,
        Command::StartForwarding,
        Command::StopForwarding,
        Command::BlockDtmf,
        Command::UnblockDtmf,
        Command::BlockMedia,
        Command::UnblockMedia,
        Command::SilenceMedia,
        Command::UnsilenceMedia,
        Command::PlayMedia,
        Command::StopMedia,
        Command::PlayDtmf,
        Command::Publish,
        Command::SubscribeRequest,
        Command::SubscribeAnswer,
        Command::Unsubscribe,
    ];

    /// As in messages.
    pub fn name(self) -> &'static str {
        match self {
            Command::Ping => "ping",
            Command::Offer => "offer",
            Command::Answer => "answer",
            Command::Delete => "delete",
            Command::Query => "query",
            Command::List => "list",
            Command::Statistics => "statistics",
            Command::StartRecording => "start recording",
            Command::StopRecording => "stop recording",
            Command::PauseRecording => "pause recording",
            Command::StartForwarding => "start forwarding",
            Command::StopForwarding => "stop forwarding",
            Command::BlockDtmf => "block DTMF",
            Command::UnblockDtmf => "unblock DTMF",
            Command::BlockMedia => "block media",
            Command::UnblockMedia => "unblock media",
            Command::SilenceMedia => "silence media",
            Command::UnsilenceMedia => "unsilence media",
            Command::PlayMedia => "play media",
            Command::StopMedia => "stop media",
            Command::PlayDtmf => "play DTMF",
            Command::Publish => "publish",
            Command::SubscribeRequest => "subscribe request",
            Command::SubscribeAnswer => "subscribe answer",
            Command::Unsubscribe => "unsubscribe",
        }
    }

    /// Reads it; blanks and hyphens are the same.
    pub fn parse(text: &str) -> Option<Command> {
        Command::ALL.into_iter().find(|command| super::word::same(command.name(), text))
    }

    /// Keys without which it means nothing.
    pub(super) fn needs(self) -> &'static [&'static str] {
        match self {
            Command::Ping | Command::List | Command::Statistics => &[],
            Command::Offer | Command::Publish => &["call-id", "from-tag", "sdp"],
            Command::Answer => &["call-id", "from-tag", "to-tag", "sdp"],
            Command::SubscribeAnswer => &["call-id", "to-tag", "sdp"],
            Command::Unsubscribe => &["call-id", "to-tag"],
            _ => &["call-id"],
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
