//! Calls of real phones through Debian's Kamailio and a media relay: Debian's rtpengine, which shows that the tests are
//! right, and ours.

/// Each scenario, `async fn(Lab, Relay) -> Result<(), Error>`, as a test with each relay.
macro_rules! scenarios {
    ($($name:ident)*) => {
        mod rtpengine {
            $(
                #[test]
                #[ignore = "full suite: real phones talk in real time; shows that the test is right"]
                fn $name() {
                    let name = concat!("telephony-", stringify!($name), "-rtpengine");
                    kaname_tests::telephony::within(name, |lab| {
                        super::$name(lab, kaname_tests::telephony::Relay::Rtpengine)
                    });
                }
            )*
        }
        mod kaname {
            $(
                #[test]
                #[ignore = "full suite: real phones talk in real time"]
                fn $name() {
                    let name = concat!("telephony-", stringify!($name), "-kaname");
                    kaname_tests::telephony::within(name, |lab| {
                        super::$name(lab, kaname_tests::telephony::Relay::Kaname)
                    });
                }
            )*
        }
    };
}

mod calls;
mod changes;
mod hostile;
mod load;
mod nodes;
mod room;
