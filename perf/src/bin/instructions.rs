//! Instructions a packet, of the backend that `KANAME_CPU_DISABLE` leaves: one JSON object a row. Exact, where the clock of a
//! shared machine is not, so that a regression of a few instructions is seen.

use std::io::{self, Write as _};

use kaname_perf::case::{Burst, Case, Plain, SUITES};
use kaname_perf::steps;
use kaname_perf::systems::{Kaname, Operation, System as _};
use serde_json::json;

/// Sessions of a batch: two whole passes of the widest kernel.
const SESSIONS: usize = 32;

fn main() -> io::Result<()> {
    let backend = kaname_srtp::Backend::best().name();
    for (profile, suite) in SUITES {
        for operation in [Operation::Protect, Operation::Unprotect] {
            for payload in [20, 160, 1100] {
                let case = Case::new(profile, 12, payload, SESSIONS);
                let plain = Plain::new(&case);
                let mut system = Kaname::new(&case);
                system.reset(operation);
                let [first, second] =
                    [0, 1].map(|round| Burst { rounds: round..round + 1, sessions: 0..SESSIONS });
                if operation == Operation::Unprotect {
                    system.arrive(&first);
                }
                system.run(operation, &first, &plain);
                if operation == Operation::Unprotect {
                    system.arrive(&second);
                }
                let steps = steps::count(|| system.run(operation, &second, &plain))?;
                let row = json!({
                    "backend": backend, "suite": suite, "op": operation.name(), "payload": payload,
                    "instructions": steps / SESSIONS as u64,
                });
                writeln!(io::stdout(), "{row}")?;
            }
        }
    }
    Ok(())
}
