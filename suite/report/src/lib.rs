//! Leaderboards
