//! Shares of features or groups in the explained variance.

use serde::{Deserialize, Serialize};

use super::columns::Column;
use super::factor::{Solution, independent};
use super::reduction::Regression;
use crate::reason::Reason;

/// Largest number of players whose Shapley shares are computed: 2¹² subsets.
pub const LARGEST_GAME: usize = 12;

/// Who competes for explained variance. All columns of a player enter and leave the regression together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Players {
    /// Groups of features.
    Groups,
    /// Features.
    Features,
}

impl Players {
    fn of(self, column: &Column) -> &str {
        match self {
            Players::Groups => &column.group,
            Players::Features => &column.feature,
        }
    }

    fn names(self, regression: &Regression) -> Vec<&str> {
        match self {
            Players::Groups => regression.groups(),
            Players::Features => regression.features(),
        }
    }
}

/// What R² loses without a player.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unique {
    /// Name of the player.
    pub name: String,
    /// ΔR²: R² of all players minus R² of the others; at least 0.
    pub r_squared: f64,
}

/// Explained variance of a player.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Name of the player.
    pub name: String,
    /// R² of the player alone.
    pub alone: f64,
    /// R² of all players minus R² of the others.
    pub unique: f64,
    /// Shapley value: the mean increase of R² when the player joins, over all orders of joining (Lindeman, Merenda and
    /// Gold 1980). The values of all players add up to R². A feature that explains nothing itself gets a share if it is
    /// correlated with one that does; `unique` shows this.
    pub shapley: f64,
}

impl Regression {
    /// ΔR² of every player. [`Reason::Constant`] if the target is constant.
    pub fn unique(&self, players: Players) -> Result<Vec<Unique>, Reason> {
        let whole = self.r_squared()?;
        let mut unique = Vec::new();
        for name in players.names(self) {
            let others = self.explained(&self.columns_where(|column| players.of(column) != name))?;
            unique.push(Unique { name: name.to_owned(), r_squared: (whole - others).max(0.0) });
        }
        Ok(unique)
    }

    /// Shares of every player, from R² of all subsets of players. Columns that depend linearly on others take part:
    /// two players with the same columns get equal shares.
    ///
    /// [`Reason::TooMany`] beyond [`LARGEST_GAME`] players, [`Reason::Constant`] if the target is constant.
    pub fn shares(&self, players: Players) -> Result<Vec<Share>, Reason> {
        let names = players.names(self);
        let number = names.len();
        if number > LARGEST_GAME {
            return Err(Reason::TooMany { limit: LARGEST_GAME, found: number });
        }
        let member = |column: &Column| names.iter().position(|name| *name == players.of(column)).unwrap_or(number);
        let (centred, all) = (self.whole().centred(), self.columns_where(|_| true));
        // Subsets of independent columns are independent.
        let is_independent = independent(&centred, &all).len() == all.len();
        let explained = (0..1_usize << number)
            .map(|subset| {
                let columns = self.columns_where(|column| subset >> member(column) & 1 == 1);
                let solution = match is_independent {
                    true => Solution::of_independent(&centred, columns),
                    false => Solution::of(&centred, &columns),
                };
                Ok(solution?.explained)
            })
            .collect::<Result<Vec<f64>, Reason>>()?;
        let weights = weights(number);
        let all = explained.len() - 1;
        let share = |(player, name): (usize, &&str)| {
            let own = 1 << player;
            let joins = (0..explained.len()).filter(|subset| subset & own == 0);
            let shapley =
                joins.map(|s| weights[s.count_ones() as usize] * (explained[s | own] - explained[s])).sum::<f64>();
            let (alone, unique) = (explained[own], (explained[all] - explained[all ^ own]).max(0.0));
            Share { name: (*name).to_owned(), alone, unique, shapley }
        };
        Ok(names.iter().enumerate().map(share).collect())
    }
}

/// Share of all orders in which a given player joins right after a given set of s others: s! (m - s - 1)! / m!, for each
/// s below m.
fn weights(players: usize) -> Vec<f64> {
    let mut ways = 1.0;
    let mut weights = Vec::with_capacity(players);
    for joined in 0..players {
        // m times the number of sets of this size among the others.
        weights.push(1.0 / (players as f64 * ways));
        ways *= (players - 1 - joined) as f64 / (joined + 1) as f64;
    }
    weights
}
