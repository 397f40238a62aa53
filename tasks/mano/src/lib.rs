//! Modular arithmetic expressions: MANO and its postfix stream
