//! The bytes of a pickle, and the forms in which opcodes are followed by more.

use crate::document::error::{Reason, excerpt};

/// What is left of a pickle.
#[derive(Default)]
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes have been read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Reason> {
        let left = &self.bytes[self.at..];
        let taken = left.get(..length).ok_or_else(|| match left.len() {
            0 => Reason::malformed("the pickle ends before its STOP"),
            left => Reason::Malformed(format!("a length of {length} bytes, of which {left} are there")),
        })?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Reason> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Reason> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Reason> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Reason> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Reason> {
        self.array().map(i32::from_le_bytes)
    }

    /// The only form with its highest byte first.
    pub(super) fn f64(&mut self) -> Result<f64, Reason> {
        self.array().map(f64::from_be_bytes)
    }

    pub(super) fn counted_u8(&mut self) -> Result<&'a [u8], Reason> {
        let length = self.u8()?;
        self.take(length.into())
    }

    pub(super) fn counted_u32(&mut self) -> Result<&'a [u8], Reason> {
        let length = self.u32()?;
        self.counted(length)
    }

    pub(super) fn counted_u64(&mut self) -> Result<&'a [u8], Reason> {
        let length = self.u64()?;
        self.counted(length)
    }

    pub(super) fn counted_i32(&mut self) -> Result<&'a [u8], Reason> {
        let length = self.i32()?;
        self.counted(length)
    }

    fn counted<L: Copy + std::fmt::Display + TryInto<usize>>(&mut self, length: L) -> Result<&'a [u8], Reason> {
        let possible = length.try_into().ok().filter(|length| *length <= self.left());
        let left = self.left();
        self.take(
            possible
                .ok_or_else(|| Reason::Malformed(format!("a length of {length} bytes, of which {left} are there")))?,
        )
    }

    /// What is before the next line break, which is read too.
    pub(super) fn line(&mut self) -> Result<&'a [u8], Reason> {
        let left = &self.bytes[self.at..];
        let end = left.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| Reason::malformed("the pickle ends in the middle of a line"))?;
        self.at += end + 1;
        Ok(&left[..end])
    }

    /// An index of the memo, in decimal.
    pub(super) fn index(&mut self) -> Result<u32, Reason> {
        let line = self.line()?;
        let index = str::from_utf8(line).ok().and_then(|text| text.parse().ok());
        let shown = || excerpt(&String::from_utf8_lossy(line));
        index.ok_or_else(|| Reason::Malformed(format!("`{}` is no place in the memo", shown())))
    }
}
