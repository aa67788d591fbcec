//! How urgent a thread is, beside everything else that runs on the machine.

/// From here on this thread works where nobody else wants the processor more: it gets its share of a busy
/// machine, a small one, and keeps nobody waiting whose developer waits. For work that nobody waits for.
pub fn step_behind() {
    os::step_behind();
}

#[cfg(target_os = "linux")]
mod os {
    /// About a tenth of what an ordinary thread gets.
    const NICE: i32 = 10;

    pub(super) fn step_behind() {
        // The system's word on a process is here one on the calling thread. Where it is refused all goes on as it was.
        let _ = rustix::process::setpriority_process(None, NICE);
        batch();
    }

    /// No ordinary thread is interrupted when this one wakes.
    #[expect(unsafe_code, reason = "tells the scheduler about this thread")]
    fn batch() {
        let parameters = libc::sched_param { sched_priority: 0 };
        // SAFETY: 0 is the calling thread, and the parameters live until the call is over.
        unsafe {
            libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters);
        }
    }
}

#[cfg(target_os = "macos")]
mod os {
    #[expect(unsafe_code, reason = "tells the scheduler about this thread")]
    pub(super) fn step_behind() {
        // SAFETY: is about the calling thread alone, and takes no pointer.
        unsafe {
            libc::pthread_set_qos_class_self_np(libc::qos_class_t::QOS_CLASS_UTILITY, 0);
        }
    }
}

#[cfg(windows)]
mod os {
    use windows_sys::Win32::System::Threading::{
        GetCurrentThread, SetThreadPriority, THREAD_PRIORITY_BELOW_NORMAL,
    };

    #[expect(unsafe_code, reason = "tells the scheduler about this thread")]
    pub(super) fn step_behind() {
        // SAFETY: the handle is a constant that always means the calling thread.
        unsafe {
            SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL);
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// Nice value and scheduling policy (`proc(5)`: fields 19 and 41).
    fn stands() -> (i32, i32) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        (fields[16].parse().unwrap(), fields[38].parse().unwrap())
    }

    #[test]
    fn one_thread_steps_behind_and_the_others_stay() {
        let (before, policy) = stands();
        let behind = std::thread::spawn(|| {
            step_behind();
            stands()
        });
        assert_eq!(behind.join().unwrap(), (before.max(10), libc::SCHED_BATCH));
        assert_eq!(stands(), (before, policy));
    }
}
