//! Calls of real phones through Debian's Kamailio and a media relay: Debian's rtpengine, which shows that the tests are
//! right, and ours.

mod calls;
