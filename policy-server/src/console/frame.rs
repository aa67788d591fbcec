//! What every page has around it: the organisation, the places to go, who is logged in, one notice.

/// The places of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Overview,
    Fleet,
    Policy,
    Record,
    Alerts,
    People,
}

impl Place {
    pub const ALL: &'static [Self] =
        &[Self::Overview, Self::Fleet, Self::Policy, Self::Record, Self::Alerts, Self::People];

    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Fleet => "Fleet",
            Self::Policy => "Policy",
            Self::Record => "Record",
            Self::Alerts => "Alerts",
            Self::People => "People",
        }
    }

    pub fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Fleet => "/fleet",
            Self::Policy => "/policy",
            Self::Record => "/record",
            Self::Alerts => "/alerts",
            Self::People => "/people",
        }
    }

    pub fn counts_alerts(self) -> bool {
        self == Self::Alerts
    }
}

#[derive(Debug, Clone)]
pub struct Frame {
    pub organisation: String,
    /// `None`: nobody is logged in, and the navigation is not shown.
    pub admin: Option<String>,
    /// Goes into every form.
    pub csrf: String,
    /// `None` on pages that belong to no place of the navigation.
    pub here: Option<Place>,
    pub open_alerts: u64,
    pub notice: Option<&'static str>,
}

/// Notices are named in the address (`?done=published`) and worded here, so that a link can make the
/// console say only what we would say.
pub fn notice(done: &str) -> Option<&'static str> {
    Some(match done {
        "published" => "Published. Connected devices adopt it within seconds.",
        "unchanged" => "Nothing was published: the text is the one in force.",
        "revoked" => "The device is revoked. Its calls are refused from now on.",
        "offboarded" => "Access ended. Every call of theirs is refused within seconds.",
        "restored" => "Access restored.",
        "acknowledged" => "Acknowledged.",
        "all-acknowledged" => "Every open alert is acknowledged.",
        "removed" => "The device is forgotten. Its records stay.",
        "password" => "Your password is set. Your other sessions are ended.",
        "webhook-removed" => "The webhook is removed.",
        "token-withdrawn" => "The token is withdrawn.",
        _ => return None,
    })
}

impl Frame {
    pub fn is_at(&self, place: Place) -> bool {
        self.here == Some(place)
    }

    /// Around a page that anybody may see.
    pub fn outside(organisation: String) -> Self {
        Self { organisation, admin: None, csrf: String::new(), here: None, open_alerts: 0, notice: None }
    }
}
