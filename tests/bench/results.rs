//! Everything that one run found, and how it stands to the targets.

use crate::contestants::{Role, Way};
use crate::figures::{Figure, Taken};
use crate::setting::Setting;
use crate::thirty_guards::{GUARDS, Idle, Quiet, SPAN};
use serde::Serialize;
use std::fmt::Display;

/// One contestant's name and part, and what was taken of it.
pub struct Row {
    pub name: String,
    pub way: Way,
    pub role: Role,
    pub taken: Taken,
}

pub struct Results {
    pub setting: Setting,
    pub rows: Vec<Row>,
    /// Start of a program that does nothing, in milliseconds.
    pub nothing_ms: f64,
    /// One copy and one scan of 100 KB and of 1 MB, in microseconds.
    pub copy_and_scan_us: [f64; 2],
    pub idle: Option<Idle>,
    pub absent: Vec<Absent>,
}

/// A peer that is not measured, and why.
#[derive(Debug, Serialize)]
pub struct Absent {
    pub name: String,
    pub why: String,
}

/// A target, and whether it was met.
pub struct Verdict {
    pub what: String,
    pub measured: String,
    pub baseline: String,
    pub target: String,
    pub met: bool,
}

impl Results {
    pub fn of(&self, way: Way) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.way == way)
    }

    pub fn find(&self, way: Way, role: Role) -> Option<&Row> {
        self.of(way).find(|row| row.role == role)
    }

    /// What a row adds to direct.
    pub fn added(&self, row: &Row, figure: Figure) -> Option<f64> {
        row.taken.added(&self.find(row.way, Role::Direct)?.taken, figure)
    }

    /// As a share of direct.
    pub fn of_direct(&self, row: &Row, figure: Figure) -> Option<f64> {
        Some(row.taken.median(figure)? / self.find(row.way, Role::Direct)?.taken.median(figure)?)
    }

    /// How many times the floor's own addition.
    pub fn of_floor(&self, row: &Row, figure: Figure) -> Option<f64> {
        let floor = self.find(row.way, Role::Floor)?;
        Some(self.added(row, figure)? / self.added(floor, figure)?)
    }

    /// The most calls a second that a peer makes on this way, and its name.
    pub fn best_peer(&self, way: Way, figure: Figure) -> Option<(f64, &str)> {
        let peers = self.of(way).filter(|row| row.role == Role::Peer);
        let rates = peers.filter_map(|row| Some((row.taken.median(figure)?, row.name.as_str())));
        rates.max_by(|(a, _), (b, _)| a.total_cmp(b))
    }

    /// How many times the best peer.
    pub fn of_best_peer(&self, row: &Row, figure: Figure) -> Option<f64> {
        Some(row.taken.median(figure)? / self.best_peer(row.way, figure)?.0)
    }

    /// Every target for which there are figures.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        self.against_the_floor(&mut verdicts);
        for way in Way::ALL {
            self.throughput(way, &mut verdicts);
        }
        for way in Way::ALL {
            self.long_results(way, &mut verdicts);
        }
        self.start(&mut verdicts);
        self.memory(&mut verdicts);
        verdicts
    }

    fn against_the_floor(&self, verdicts: &mut Vec<Verdict>) {
        let table = [
            (Way::StdioToStdio, Figure::SmallP50Us, "p50", 2.0),
            (Way::StdioToStdio, Figure::SmallP99Us, "p99", 3.0),
            (Way::HttpToHttp, Figure::SmallP50Us, "p50", 1.5),
        ];
        for (way, figure, name, most) in table {
            let (Some(guard), Some(floor)) = (self.find(way, Role::Guard), self.find(way, Role::Floor))
            else {
                continue;
            };
            let (Some(guard), Some(base)) = (self.added(guard, figure), self.added(floor, figure)) else {
                continue;
            };
            verdicts.push(Verdict {
                what: format!("added {name}, {}, 100 B", way.name()),
                measured: format!("{guard:.1} µs"),
                baseline: format!("{}: {base:.1} µs", short(&floor.name)),
                target: format!("≤ {most:.1} × (is {:.2} ×)", guard / base),
                met: guard <= most * base,
            });
        }
    }

    fn throughput(&self, way: Way, verdicts: &mut Vec<Verdict>) {
        let Some(guard) = self.find(way, Role::Guard) else { return };
        for (figure, in_flight) in [(Figure::Rate1, 1), (Figure::Rate8, 8), (Figure::Rate64, 64)] {
            let (Some(share), Some(rate)) = (self.of_direct(guard, figure), guard.taken.median(figure))
            else {
                continue;
            };
            let floor = self.find(way, Role::Floor).and_then(|floor| self.of_direct(floor, figure));
            let floor = floor.map_or_else(String::new, |floor| format!("; the floor keeps {floor:.2}"));
            verdicts.push(Verdict {
                what: format!("calls/s, {}, {in_flight} in flight", way.name()),
                measured: format!("{rate:.0}"),
                baseline: format!("direct: {:.0}{floor}", rate / share),
                target: format!("≥ 0.5 of direct (is {share:.2})"),
                met: share >= 0.5,
            });
            if let Some((best, name)) = self.best_peer(way, figure) {
                verdicts.push(Verdict {
                    what: format!("the same beside the best peer, {in_flight} in flight"),
                    measured: format!("{rate:.0}"),
                    baseline: format!("{name}: {best:.0}"),
                    target: format!("≥ 2 × (is {:.1} ×)", rate / best),
                    met: rate >= 2.0 * best,
                });
            }
        }
    }

    fn long_results(&self, way: Way, verdicts: &mut Vec<Verdict>) {
        let Some(guard) = self.find(way, Role::Guard) else { return };
        let sizes = [(Figure::LargeP50Us, "100 KB"), (Figure::HugeP50Us, "1 MB")];
        for ((figure, size), base) in sizes.into_iter().zip(self.copy_and_scan_us) {
            let Some(added) = self.added(guard, figure) else { continue };
            let floor = self.find(way, Role::Floor).and_then(|floor| self.added(floor, figure));
            let floor = floor.map_or_else(String::new, |floor| format!("; the floor adds {floor:.0} µs"));
            verdicts.push(Verdict {
                what: format!("added p50, {}, {size} results", way.name()),
                measured: format!("{added:.0} µs"),
                baseline: format!("one copy and one scan: {base:.0} µs{floor}"),
                target: format!("≤ 1 × (is {:.1} ×)", added / base),
                met: added <= base,
            });
        }
    }

    fn start(&self, verdicts: &mut Vec<Verdict>) {
        let guard = self.find(Way::StdioToStdio, Role::Guard);
        let Some(added) = guard.and_then(|guard| self.added(guard, Figure::StartMs)) else { return };
        let nothing = self.nothing_ms;
        verdicts.push(Verdict {
            what: "start-up added to a stdio server".to_owned(),
            measured: format!("{added:.1} ms"),
            baseline: "–".to_owned(),
            target: "≤ 5 ms".to_owned(),
            met: added <= 5.0,
        });
        verdicts.push(Verdict {
            what: "the same beside a program that does nothing".to_owned(),
            measured: format!("{added:.1} ms"),
            baseline: format!("its start and end: {nothing:.1} ms"),
            target: format!("≤ 2 × (is {:.1} ×)", added / nothing),
            met: added <= 2.0 * nothing,
        });
    }

    fn memory(&self, verdicts: &mut Vec<Verdict>) {
        let mut add = |what: String, measured: f64, target: &str, met: bool| {
            verdicts.push(Verdict {
                what,
                measured: format!("{measured:.1} MB"),
                baseline: "–".to_owned(),
                target: target.to_owned(),
                met,
            });
        };
        let guard = self.find(Way::StdioToStdio, Role::Guard);
        if let Some(mb) = guard.and_then(|guard| guard.taken.median(Figure::IdleKb)).map(megabytes) {
            add("private memory of an idle guard".to_owned(), mb, "≤ 4 MB", mb <= 4.0);
        }
        let Some(Idle { guards_kb, alone, beside }) = self.idle else { return };
        let of_kb = |kb: u64| megabytes(f64::from(u32::try_from(kb).unwrap_or(u32::MAX)));
        let guards = of_kb(guards_kb);
        add(format!("{GUARDS} idle guards together"), guards, "≤ 120 MB", guards <= 120.0);
        let residents = [("alone".to_owned(), alone), (format!("beside {GUARDS} idle guards"), beside)];
        for (how, Quiet { kb, .. }) in &residents {
            let mb = of_kb(*kb);
            add(format!("the resident {how}, after all of this"), mb, "≤ 40 MB", mb <= 40.0);
        }
        verdicts.extend(residents.map(|(how, Quiet { cpu, .. })| Verdict {
            what: format!("the resident's share of a core {how}, over {} s", SPAN.as_secs()),
            measured: format!("{cpu:.2} %"),
            baseline: "–".to_owned(),
            target: "≤ 0.1 %".to_owned(),
            met: cpu <= 0.1,
        }));
    }
}

pub fn megabytes(kb: f64) -> f64 {
    kb / 1024.0
}

/// The first words of a name.
fn short(name: &str) -> impl Display {
    name.split([',', ':']).next().unwrap_or_default().to_owned()
}
