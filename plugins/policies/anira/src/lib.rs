//! ANIRA-E and ANIRA-O
