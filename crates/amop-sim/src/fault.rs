//! The names of all that can be done to a world, for whoever counts it.

/// What can be done to a world; see the methods of [`World`](crate::World) that they name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// [`set_detour`](crate::World::set_detour)
    Detour,
    /// [`set_tail`](crate::World::set_tail)
    Tail,
    /// [`set_link_bytes_max`](crate::World::set_link_bytes_max)
    Room,
    /// [`set_control_bytes_max`](crate::World::set_control_bytes_max)
    ControlRoom,
    /// [`cut_half_open`](crate::World::cut_half_open)
    Cut,
    /// [`part`](crate::World::part)
    Part,
    /// [`part_one_way`](crate::World::part_one_way)
    PartOneWay,
    /// [`stall`](crate::World::stall)
    Stall,
    /// [`stall_one_way`](crate::World::stall_one_way)
    StallOneWay,
    /// [`cut_client`](crate::World::cut_client)
    CutClient,
    /// [`stall_client`](crate::World::stall_client)
    StallClient,
    /// [`crash`](crate::World::crash)
    Crash,
    /// [`restart_with`](crate::World::restart_with)
    LostEpoch,
    /// [`pause`](crate::World::pause)
    PauseNode,
    /// [`pause_client`](crate::World::pause_client)
    PauseClient,
    /// [`shut_down`](crate::World::shut_down)
    ShutDown,
    /// [`kill`](crate::World::kill)
    Kill,
    /// [`move_client`](crate::World::move_client)
    Move,
    /// [`set_swallowing`](crate::World::set_swallowing)
    Swallow,
    /// [`set_denying`](crate::World::set_denying)
    Deny,
    /// [`set_forging`](crate::World::set_forging)
    Forge,
    /// [`say`](crate::World::say)
    Lie,
    /// [`set_tight`](crate::World::set_tight)
    TightLimits,
    /// [`set_throttled`](crate::World::set_throttled)
    Throttle,
    /// [`set_narrow`](crate::World::set_narrow)
    Narrow,
    /// [`drain`](crate::World::drain)
    Drain,
    /// [`cut_power`](crate::World::cut_power)
    PowerCut,
    /// [`set_disk`](crate::World::set_disk)
    Disk,
    /// [`set_muddling`](crate::World::set_muddling)
    Muddle,
    /// [`set_rules`](crate::World::set_rules)
    Rules,
    /// [`revoke`](crate::World::revoke)
    Revoke,
}

impl Fault {
    /// Each of them.
    pub const ALL: [Self; 31] = [
        Self::Detour,
        Self::Tail,
        Self::Room,
        Self::ControlRoom,
        Self::Cut,
        Self::Part,
        Self::PartOneWay,
        Self::Stall,
        Self::StallOneWay,
        Self::CutClient,
        Self::StallClient,
        Self::Crash,
        Self::LostEpoch,
        Self::PauseNode,
        Self::PauseClient,
        Self::ShutDown,
        Self::Kill,
        Self::Move,
        Self::Swallow,
        Self::Deny,
        Self::Forge,
        Self::Lie,
        Self::TightLimits,
        Self::Throttle,
        Self::Narrow,
        Self::Drain,
        Self::PowerCut,
        Self::Disk,
        Self::Muddle,
        Self::Rules,
        Self::Revoke,
    ];

    /// A word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Detour => "detour",
            Self::Tail => "tail",
            Self::Room => "room",
            Self::ControlRoom => "control room",
            Self::Cut => "cut",
            Self::Part => "part",
            Self::PartOneWay => "part one way",
            Self::Stall => "stall",
            Self::StallOneWay => "stall one way",
            Self::CutClient => "cut client",
            Self::StallClient => "stall client",
            Self::Crash => "crash",
            Self::LostEpoch => "lost epoch",
            Self::PauseNode => "pause node",
            Self::PauseClient => "pause client",
            Self::ShutDown => "shut down",
            Self::Kill => "kill",
            Self::Move => "move",
            Self::Swallow => "swallow",
            Self::Deny => "deny",
            Self::Forge => "forge",
            Self::Lie => "lie",
            Self::TightLimits => "tight limits",
            Self::Throttle => "throttle",
            Self::Narrow => "narrow",
            Self::Drain => "drain",
            Self::PowerCut => "power cut",
            Self::Disk => "disk",
            Self::Muddle => "muddle",
            Self::Rules => "rules",
            Self::Revoke => "revoke",
        }
    }
}
