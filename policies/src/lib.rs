//! May this count?
