//! Control policies: fixed, random, random-matched, oracle-complexity
