//! Memory that was freed and that the allocator still holds.

/// Gives it back to the system. For a program that computed much once and then waits for ever, as a guard
/// does after it compiled its policy: thirty of them run on a machine.
pub fn give_back() {
    os::give_back();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod os {
    #[expect(unsafe_code, reason = "glibc gives back only the end of its heap by itself")]
    pub(super) fn give_back() {
        // SAFETY: takes glibc's own locks, and touches nothing but pages that hold no allocation.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

/// Other allocators give back what is free by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod os {
    pub(super) fn give_back() {}
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    fn resident_kb() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse().unwrap()
    }

    #[test]
    fn what_was_freed_behind_something_that_stays_is_given_back() {
        let many: Vec<Box<[u8]>> = (0..64 * 1024).map(|_| vec![7; 1024].into_boxed_slice()).collect();
        let stays = vec![7_u8; 1024];
        drop(many);
        let before = resident_kb();
        give_back();
        assert!(resident_kb() + 32 * 1024 < before, "{before} kB before, {} after", resident_kb());
        assert_eq!(stays.len(), 1024);
    }
}
