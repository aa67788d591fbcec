//! Windows: reads one key of the registry.

use crate::managed::RegistryValue;
use std::io;
use windows_sys::Win32::Foundation::{
    ERROR_FILE_NOT_FOUND, ERROR_MORE_DATA, ERROR_NO_MORE_ITEMS, ERROR_SUCCESS, WIN32_ERROR,
};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_READ, KEY_WOW64_64KEY, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_QWORD,
    REG_SZ, RegCloseKey, RegEnumValueW, RegOpenKeyExW,
};

/// A certificate and a trust root fit many times; a value beyond it is an error.
const LARGEST_VALUE: usize = 1024 * 1024;
const LONGEST_NAME: usize = 16 * 1024;

struct Key(HKEY);

impl Drop for Key {
    #[expect(unsafe_code, reason = "closes what was opened")]
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed once.
        unsafe {
            RegCloseKey(self.0);
        }
    }
}

/// The values of a key below `HKEY_LOCAL_MACHINE`, in the 64-bit view whoever asks; `None` where
/// there is no such key. Kinds that a profile does not use are left out.
///
/// # Errors
/// The key is there and cannot be read.
pub(crate) fn read_machine_key(path: &str) -> io::Result<Option<Vec<(String, RegistryValue)>>> {
    let Some(key) = open(path)? else { return Ok(None) };
    let mut values = Vec::new();
    let (mut name, mut data) = (vec![0_u16; LONGEST_NAME], vec![0_u8; LARGEST_VALUE]);
    for index in 0.. {
        match value_at(&key, index, &mut name, &mut data)? {
            Found::Value(found, value) => values.push((found, value)),
            Found::Other => {}
            Found::End => break,
        }
    }
    Ok(Some(values))
}

#[expect(unsafe_code, reason = "opens a registry key")]
fn open(path: &str) -> io::Result<Option<Key>> {
    let path: Vec<u16> = path.encode_utf16().chain([0]).collect();
    let mut key: HKEY = std::ptr::null_mut();
    // SAFETY: the path ends with NUL; the key is owned on success only.
    let status = unsafe {
        RegOpenKeyExW(HKEY_LOCAL_MACHINE, path.as_ptr(), 0, KEY_READ | KEY_WOW64_64KEY, &raw mut key)
    };
    match status {
        ERROR_SUCCESS => Ok(Some(Key(key))),
        ERROR_FILE_NOT_FOUND => Ok(None),
        status => Err(failure(status)),
    }
}

enum Found {
    Value(String, RegistryValue),
    Other,
    End,
}

#[expect(unsafe_code, reason = "reads a registry value")]
fn value_at(key: &Key, index: u32, name: &mut [u16], data: &mut [u8]) -> io::Result<Found> {
    let mut name_length = u32::try_from(name.len()).map_err(io::Error::other)?;
    let mut data_length = u32::try_from(data.len()).map_err(io::Error::other)?;
    let mut kind = 0;
    // SAFETY: the key is open, and both buffers are as long as is said.
    let status = unsafe {
        RegEnumValueW(
            key.0,
            index,
            name.as_mut_ptr(),
            &raw mut name_length,
            std::ptr::null(),
            &raw mut kind,
            data.as_mut_ptr(),
            &raw mut data_length,
        )
    };
    match status {
        ERROR_SUCCESS => {}
        ERROR_NO_MORE_ITEMS => return Ok(Found::End),
        ERROR_MORE_DATA => return Err(io::Error::other("a value is too large")),
        status => return Err(failure(status)),
    }
    let name = name.iter().copied().take(name_length as usize);
    let name = String::from_utf16_lossy(&name.collect::<Vec<_>>());
    let data = data.get(..data_length as usize).unwrap_or_default();
    Ok(decode(kind, data).map_or(Found::Other, |value| Found::Value(name, value)))
}

fn decode(kind: u32, data: &[u8]) -> Option<RegistryValue> {
    let text = || {
        let units: Vec<u16> =
            data.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match kind {
        REG_SZ | REG_EXPAND_SZ => Some(RegistryValue::Text(text().trim_end_matches('\0').to_owned())),
        REG_MULTI_SZ => {
            let lines = text();
            let lines = lines.trim_end_matches('\0').split('\0').map(str::to_owned);
            Some(RegistryValue::Lines(lines.collect()))
        }
        REG_DWORD => Some(RegistryValue::Number(u32::from_le_bytes(data.try_into().ok()?).into())),
        REG_QWORD => Some(RegistryValue::Number(u64::from_le_bytes(data.try_into().ok()?))),
        _ => None,
    }
}

fn failure(status: WIN32_ERROR) -> io::Error {
    io::Error::from_raw_os_error(status.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_every_machine_has_is_read_and_an_absent_one_is_none() {
        let values = read_machine_key(r"SOFTWARE\Microsoft\Windows NT\CurrentVersion").unwrap().unwrap();
        assert!(values.iter().any(|(name, value)| {
            name == "CurrentVersion" && matches!(value, RegistryValue::Text(text) if !text.is_empty())
        }));
        assert_eq!(read_machine_key(r"SOFTWARE\Portreeve has no such key").unwrap(), None);
    }
}
