//! What is known of the way to each destination: a table that packets read, and the questions it asks meanwhile. Knows
//! no socket; [`super::netlink`] puts the questions and brings the answers.

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::RandomState;

use super::frame::Mac;
use super::limits::{MAX_NEIGHBOURS, MAX_ROUTES};

/// A destination as seen from a local address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    pub(super) local: u32,
    pub(super) to: IpAddr,
}

/// Where the kernel would send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextHop {
    /// Out of our interface, through this neighbour, at most so many bytes of IP.
    Neighbour {
        /// The gateway, or the destination itself.
        address: IpAddr,
        /// Of the route, where it has one of its own.
        mtu: Option<u32>,
    },
    /// Another interface, this machine itself, or nowhere: the kernel's business.
    Elsewhere,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    /// Not known yet, or not ours.
    Kernel,
    Neighbour {
        slot: u32,
        mtu: u32,
    },
}

#[derive(Clone, Copy, Debug)]
struct Route {
    way: Way,
    /// Of the latest question; another than the table's: ask again.
    generation: u32,
    /// Since the last sweep.
    used: bool,
}

#[derive(Clone, Copy, Debug)]
struct Neighbour {
    address: IpAddr,
    mac: Option<Mac>,
    /// The kernel doubts it, and asks only if it is told that somebody sends there.
    stale: bool,
}

/// Routes by destination and neighbours by address.
#[derive(Debug, Default)]
pub(super) struct Routes {
    routes: HashMap<Destination, Route, RandomState>,
    neighbours: Vec<Neighbour>,
    slots: HashMap<IpAddr, u32, RandomState>,
    generation: u32,
    /// Destinations to ask the kernel about.
    ask: Vec<Destination>,
    /// Neighbours that packets go to and that the kernel should resolve or confirm.
    confirm: Vec<IpAddr>,
}

/// An answer to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) mac: Mac,
    /// The route's own limit; `u32::MAX`: only the link's.
    pub(super) mtu: u32,
}

impl Routes {
    pub(super) fn new() -> Routes {
        // Everything at its largest, so that no packet makes it grow.
        Routes {
            routes: HashMap::with_capacity_and_hasher(MAX_ROUTES, RandomState::default()),
            neighbours: Vec::with_capacity(MAX_NEIGHBOURS),
            slots: HashMap::with_capacity_and_hasher(MAX_NEIGHBOURS, RandomState::default()),
            generation: 0,
            ask: Vec::with_capacity(MAX_ROUTES),
            confirm: Vec::with_capacity(MAX_NEIGHBOURS),
        }
    }

    /// The way of a packet. `None`: through the kernel, for now or for ever.
    pub(super) fn find(&mut self, destination: Destination) -> Option<Reached> {
        let Some(route) = self.routes.get_mut(&destination) else {
            self.learn(destination);
            return None;
        };
        route.used = true;
        if route.generation != self.generation {
            // What was known holds until the answer is here.
            route.generation = self.generation;
            self.ask.push(destination);
        }
        let Way::Neighbour { slot, mtu } = route.way else { return None };
        let neighbour = &mut self.neighbours[slot as usize];
        if neighbour.stale {
            neighbour.stale = false;
            self.confirm.push(neighbour.address);
        }
        neighbour.mac.map(|mac| Reached { mac, mtu })
    }

    #[cold]
    fn learn(&mut self, destination: Destination) {
        if self.routes.len() < MAX_ROUTES {
            let route = Route { way: Way::Kernel, generation: self.generation, used: true };
            self.routes.insert(destination, route);
            self.ask.push(destination);
        }
    }

    /// A destination that somebody waits for.
    pub(super) fn next_question(&mut self) -> Option<Destination> {
        self.ask.pop()
    }

    /// A neighbour whose address somebody uses.
    pub(super) fn next_to_confirm(&mut self) -> Option<IpAddr> {
        self.confirm.pop()
    }

    /// The kernel's answer. Returns a neighbour that is new: ask for its address.
    pub(super) fn answered(&mut self, destination: Destination, hop: NextHop) -> Option<IpAddr> {
        let (way, new) = match hop {
            NextHop::Elsewhere => (Way::Kernel, None),
            NextHop::Neighbour { address, mtu } => {
                let known = self.slots.get(&address).copied();
                let slot = known.or_else(|| self.new_slot(address))?;
                (Way::Neighbour { slot, mtu: mtu.unwrap_or(u32::MAX) }, known.is_none().then_some(address))
            }
        };
        // It may have been forgotten meanwhile.
        if let Some(route) = self.routes.get_mut(&destination) {
            route.way = way;
        }
        new
    }

    /// `None`: full. All is forgotten then, and learned anew from what is in use.
    fn new_slot(&mut self, address: IpAddr) -> Option<u32> {
        if self.neighbours.len() == MAX_NEIGHBOURS {
            self.forget_all();
            return None;
        }
        let slot = self.neighbours.len() as u32;
        self.neighbours.push(Neighbour { address, mac: None, stale: false });
        self.slots.insert(address, slot);
        Some(slot)
    }

    /// What the kernel knows of a neighbour, by its own word or as an answer; of those that nobody uses nothing is
    /// kept. No address: it cannot be reached, at least for now.
    pub(super) fn neighbour(&mut self, address: IpAddr, mac: Option<Mac>, stale: bool) {
        if let Some(slot) = self.slots.get(&address) {
            let neighbour = &mut self.neighbours[*slot as usize];
            (neighbour.mac, neighbour.stale) = (mac, stale);
        }
    }

    /// The kernel should look for a neighbour.
    pub(super) fn confirm(&mut self, address: IpAddr) {
        if self.confirm.len() < MAX_NEIGHBOURS {
            self.confirm.push(address);
        }
    }

    /// Routes have changed: each is asked for again when it is next used.
    pub(super) fn doubt(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Ages: routes that were not used since the last call are forgotten.
    pub(super) fn age(&mut self) {
        self.routes.retain(|_, route| std::mem::take(&mut route.used));
        self.doubt();
    }

    /// Word of changes was lost, or the link is another.
    pub(super) fn forget_all(&mut self) {
        self.routes.clear();
        self.neighbours.clear();
        self.slots.clear();
        self.ask.clear();
        self.confirm.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [2, 0, 0, 0, 0, 9];

    fn destination(last: u8) -> Destination {
        Destination { local: 0, to: IpAddr::from([198, 51, 100, last]) }
    }

    fn gateway() -> IpAddr {
        IpAddr::from([192, 0, 2, 1])
    }

    fn via_gateway() -> NextHop {
        NextHop::Neighbour { address: gateway(), mtu: None }
    }

    /// One destination behind a resolved gateway.
    fn known() -> Routes {
        let mut routes = Routes::new();
        assert_eq!(routes.find(destination(1)), None);
        assert_eq!(routes.next_question(), Some(destination(1)));
        assert_eq!(routes.answered(destination(1), via_gateway()), Some(gateway()));
        routes.neighbour(gateway(), Some(MAC), false);
        routes
    }

    #[test]
    fn a_destination_is_asked_for_once_and_then_known() {
        let mut routes = Routes::new();
        assert_eq!(routes.find(destination(1)), None);
        assert_eq!(routes.find(destination(1)), None);
        assert_eq!(routes.next_question(), Some(destination(1)));
        assert_eq!(routes.next_question(), None);
        let mut routes = known();
        assert_eq!(routes.find(destination(1)), Some(Reached { mac: MAC, mtu: u32::MAX }));
        // The second behind the same gateway needs no second neighbour.
        assert_eq!(routes.find(destination(2)), None);
        assert_eq!(routes.answered(destination(2), via_gateway()), None);
        assert!(routes.find(destination(2)).is_some());
        assert_eq!(routes.next_to_confirm(), None);
    }

    #[test]
    fn a_gateway_that_changes_its_address_changes_all_behind_it() {
        let mut routes = known();
        let other = [2, 0, 0, 0, 0, 7];
        routes.neighbour(gateway(), Some(other), false);
        assert_eq!(routes.find(destination(1)).map(|r| r.mac), Some(other));
        routes.neighbour(gateway(), None, false);
        assert_eq!(routes.find(destination(1)), None, "unresolved: the kernel sends");
    }

    #[test]
    fn a_stale_neighbour_is_used_and_confirmed_once() {
        let mut routes = known();
        routes.neighbour(gateway(), Some(MAC), true);
        assert_eq!(routes.next_to_confirm(), None, "nobody sends");
        assert!(routes.find(destination(1)).is_some());
        assert!(routes.find(destination(1)).is_some());
        assert_eq!(routes.next_to_confirm(), Some(gateway()));
        assert_eq!(routes.next_to_confirm(), None);
    }

    #[test]
    fn a_doubted_route_holds_until_the_answer() {
        let mut routes = known();
        routes.doubt();
        assert!(routes.find(destination(1)).is_some());
        assert!(routes.find(destination(1)).is_some());
        assert_eq!(routes.next_question(), Some(destination(1)));
        assert_eq!(routes.next_question(), None);
        assert_eq!(routes.answered(destination(1), NextHop::Elsewhere), None);
        assert_eq!(routes.find(destination(1)), None);
    }

    #[test]
    fn what_is_not_used_is_forgotten() {
        let mut routes = known();
        routes.age();
        assert_eq!(routes.routes.len(), 1, "used since it was learned");
        routes.age();
        assert_eq!(routes.routes.len(), 0);
        // An answer that comes too late is nobody's.
        assert_eq!(routes.answered(destination(1), via_gateway()), None);
        assert_eq!(routes.routes.len(), 0);
    }

    #[test]
    fn the_tables_have_their_limits() {
        let mut routes = Routes::new();
        for i in 0..=MAX_ROUTES as u32 {
            let to = IpAddr::from(i.to_be_bytes());
            routes.find(Destination { local: 0, to });
        }
        assert_eq!(routes.routes.len(), MAX_ROUTES);
        let mut asked = 0;
        while let Some(at) = routes.next_question() {
            // Each its own neighbour.
            routes.answered(at, NextHop::Neighbour { address: at.to, mtu: None });
            assert!(routes.neighbours.len() <= MAX_NEIGHBOURS);
            asked += 1;
        }
        assert_eq!(asked, MAX_NEIGHBOURS + 1, "then all is learned anew");
    }
}
