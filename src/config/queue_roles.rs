//! Who may submit jobs to which queue.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The default: the queue with the highest priority is not for everybody.
pub const DEFAULT: &str = "configfile-interactive=MANAGER";

const EXPECTED: &str = "a comma-separated list of QUEUE=ROLE, such as configfile-interactive=MANAGER,default-batch=MEMBER, \
                        where ROLE is MEMBER, MANAGER, ADMIN or PLATFORM_ADMIN";

/// The least role that a user needs to submit jobs to a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueRole {
    /// Members of the project's group.
    #[default]
    Member,
    /// Managers of the group.
    Manager,
    /// Admins of the group.
    Admin,
    /// Platform admins, whatever group they are in.
    PlatformAdmin,
}

impl QueueRole {
    const ALL: [(&'static str, Self); 4] = [
        ("MEMBER", Self::Member),
        ("MANAGER", Self::Manager),
        ("ADMIN", Self::Admin),
        ("PLATFORM_ADMIN", Self::PlatformAdmin),
    ];
}

impl fmt::Display for QueueRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::ALL.iter().filter(|(_, role)| role == self).try_for_each(|(name, _)| f.write_str(name))
    }
}

/// The queues that are not for every member of a group, and the least role for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueRoles(BTreeMap<String, QueueRole>);

impl QueueRoles {
    /// The least role for a queue: that of a member, if nothing else is configured.
    pub fn of(&self, queue: &str) -> QueueRole {
        self.0.get(queue).copied().unwrap_or_default()
    }
}

impl FromStr for QueueRoles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut roles = BTreeMap::new();
        for row in text.split(',').map(str::trim).filter(|row| !row.is_empty()) {
            let (queue, role) = row.split_once('=').ok_or(EXPECTED)?;
            let (queue, role) = (queue.trim(), role.trim());
            // The names of objects in Kubernetes.
            let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
            let known = QueueRole::ALL.into_iter().find(|(name, _)| *name == role);
            let (_, role) = known.filter(|_| !queue.is_empty() && queue.chars().all(is_legal)).ok_or(EXPECTED)?;
            if roles.insert(queue.to_owned(), role).is_some() {
                return Err(format!("{EXPECTED}; each queue can occur only once"));
            }
        }
        Ok(Self(roles))
    }
}

impl fmt::Display for QueueRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<String> = self.0.iter().map(|(queue, role)| format!("{queue}={role}")).collect();
        f.write_str(&rows.join(","))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_queue_without_a_row_is_for_members() {
        let roles: QueueRoles = DEFAULT.parse().unwrap();
        assert_eq!(roles.of("configfile-interactive"), QueueRole::Manager);
        assert_eq!(roles.of("default-batch"), QueueRole::Member);
        assert_eq!("".parse::<QueueRoles>().unwrap().of("configfile-interactive"), QueueRole::Member);
    }

    #[test]
    fn what_is_no_list_of_queues_and_roles_is_refused() {
        for wrong in
            ["night", "=ADMIN", "night=", "night=admin", "night=OWNER", "Night=ADMIN", "night=ADMIN,night=ADMIN"]
        {
            assert!(wrong.parse::<QueueRoles>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_list_is_read_as_it_is_written(names in prop::collection::btree_map("[a-z0-9.-]{1,20}", 0..4_usize, 0..6)) {
            let roles = QueueRoles(names.into_iter().map(|(name, role)| (name, QueueRole::ALL[role].1)).collect());
            prop_assert_eq!(roles.to_string().parse::<QueueRoles>().unwrap(), roles);
        }

        #[test]
        fn no_text_is_too_much_for_the_parser(text in ".{0,60}") {
            if let Ok(roles) = text.parse::<QueueRoles>() {
                prop_assert_eq!(roles.to_string().parse::<QueueRoles>().unwrap(), roles);
            }
        }
    }
}
