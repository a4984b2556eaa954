//! Finds the places of mutations in a file and gives each its form behind a switch.
//!
//! No operand is written twice, or a condition of five parts would become 32 of them. Operands are
//! evaluated once and in their order, with and without a mutation.

use std::collections::HashSet;

use syn::{BinOp, Expr, UnOp, spanned::Spanned, visit::Visit};

use crate::{Mutation, Position, edits::Edits};

pub(crate) struct Visitor<'a> {
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
    mutations: &'a [Mutation],
    constant: &'a HashSet<String>,
    edits: Edits,
    placed: HashSet<usize>,
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(
        text: &'a str,
        mutations: &'a [Mutation],
        constant: &'a HashSet<String>,
    ) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        let (edits, placed) = (Edits::default(), HashSet::new());
        Self { text, lines, mutations, constant, edits, placed }
    }

    pub(crate) fn is_placed(&self, number: usize) -> bool {
        self.placed.contains(&number)
    }

    pub(crate) fn into_text(self) -> String {
        self.edits.apply(self.text)
    }

    fn byte(&self, at: proc_macro2::LineColumn) -> usize {
        let start = self.lines[at.line - 1];
        let line = &self.text[start..];
        start + line.char_indices().nth(at.column).map_or(line.len(), |(byte, _)| byte)
    }

    fn part(&self, of: &impl Spanned) -> (usize, usize) {
        (self.byte(of.span().start()), self.byte(of.span().end()))
    }

    /// The mutations of this kind that begin where `of` does.
    fn at(&mut self, of: &impl Spanned, genre: &str) -> Vec<Mutation> {
        let start = position(of.span().start());
        let is_meant = |one: &&Mutation| one.genre == genre && one.span.start == start;
        self.mutations.iter().filter(is_meant).cloned().collect()
    }

    fn place(&mut self, mutations: &[Mutation]) -> usize {
        self.placed.extend(mutations.iter().map(|mutation| mutation.number));
        mutations[0].number
    }

    /// A value that a function returns at once.
    fn body(&mut self, block: &syn::Block) {
        let (Some(first), Some(last)) = (block.stmts.first(), block.stmts.last()) else { return };
        let (open, start) = (block.span().start(), position(first.span().start()));
        let end = position(last.span().end());
        let is_meant = |one: &&Mutation| {
            one.genre == "FnValue"
                && (position(open)..=start).contains(&one.span.start)
                && one.span.end >= Position { column: end.column - 1, ..end }
                && one.span.end <= position(block.span().end())
        };
        let meant: Vec<Mutation> = self.mutations.iter().filter(is_meant).cloned().collect();
        for one in meant {
            let (number, value) = (one.number, one.replacement.as_str());
            let value = if value == "()" { "" } else { value };
            let at = self.part(&block.brace_token.span.open()).1;
            self.placed.insert(number);
            self.edits.insert(
                at,
                format!("/*G{number}*/if crate::m__({number}) {{ return /*A{number}*/{value}/*a*/; }}/*E*/"),
            );
        }
    }

    /// Functions that ask for a switch are not constant. False where it must stay so.
    fn enter(&mut self, signature: &syn::Signature) -> bool {
        let Some(constness) = signature.constness else { return true };
        if self.constant.contains(&signature.ident.to_string()) {
            return false;
        }
        let part = self.part(&constness);
        self.edits.delete(part);
        true
    }

    fn binary(&mut self, expr: &syn::ExprBinary, mutations: &[Mutation]) {
        let (whole, operator) = (self.part(expr), self.part(&expr.op));
        let sign = self.text[operator.0..operator.1].to_owned();
        let group = self.place(mutations);
        let switched = |left: &str, right: &str, end: &str| -> String {
            let each = mutations.iter().map(|Mutation { number, replacement, .. }| {
                format!(
                    "if crate::m__({number}) {{ /*A{number}*/{left} {replacement} {right}{end}/*a*/ }} else "
                )
            });
            each.chain([format!("{{ {left} {sign} {right}{end} }}")]).collect()
        };
        match expr.op {
            BinOp::And(_) | BinOp::Or(_) => {
                // `a && b` is `if a { b } else { a }`, and `a || b` has the branches the other way
                let goes_on = if matches!(expr.op, BinOp::And(_)) { "" } else { "!" };
                let switch = mutations
                    .iter()
                    .find(|one| ["&&", "||"].contains(&one.replacement.as_str()))
                    .map_or("false".into(), |one| format!("crate::m__({})", one.number));
                self.edits.wrap(
                    whole,
                    format!("/*G{group}*/({{let l__: bool = "),
                    "} else { l__ } })/*E*/".into(),
                );
                self.edits.replace(operator, &format!("; if {goes_on}l__ != {switch} {{"));
            }
            BinOp::Eq(_) | BinOp::Ne(_) => self.negate(whole, group),
            BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_) => {
                let choice = switched("l__", "r__", "");
                self.edits.wrap(
                    whole,
                    format!("/*G{group}*/(match (&("),
                    format!(")) {{ (l__, r__) => {choice} }})/*E*/"),
                );
                self.edits.replace(operator, "), &(");
            }
            op if is_assignment(op) => {
                let place = self.part(&expr.left);
                let choice = switched(&self.text[place.0..place.1], "r__", ";");
                self.edits.wrap(
                    whole,
                    format!("/*G{group}*/(match ("),
                    format!(") {{ r__ => {choice} }})/*E*/"),
                );
                self.edits.delete((place.0, operator.1));
            }
            _ => {
                let choice = switched("l__", "r__", "");
                self.edits.wrap(
                    whole,
                    format!("/*G{group}*/(match (("),
                    format!(")) {{ (l__, r__) => {choice} }})/*E*/"),
                );
                self.edits.replace(operator, "), (");
            }
        }
    }

    /// The truth, or its contrary.
    fn negate(&mut self, part: (usize, usize), number: usize) {
        let after = format!(") != crate::m__({number}))/*E*/");
        self.edits.wrap(part, format!("/*G{number}*/(("), after);
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    // constants cannot ask for a switch
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_type_array(&mut self, _: &'ast syn::TypeArray) {}

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if self.enter(&function.sig) {
            self.body(&function.block);
            syn::visit::visit_item_fn(self, function);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if self.enter(&function.sig) {
            self.body(&function.block);
            syn::visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.body(block);
        }
        syn::visit::visit_trait_item_fn(self, function);
    }

    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        let mutations = self.at(&expr.op, "BinaryOperator");
        if !mutations.is_empty() && !has_let(&expr.left) && !has_let(&expr.right) {
            self.binary(expr, &mutations);
            if is_assignment(expr.op) {
                // what is assigned to stands there more than once and stays as it is
                return self.visit_expr(&expr.right);
            }
        }
        syn::visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'ast syn::ExprUnary) {
        let mutations = self.at(expr, "UnaryOperator");
        if !mutations.is_empty() && matches!(expr.op, UnOp::Not(_)) {
            let (part, number) = (self.part(expr), self.place(&mutations));
            self.negate(part, number);
        }
        syn::visit::visit_expr_unary(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let mut all = self.at(arm, "MatchArm");
        let deleted = all.first().map(|one| format!("!crate::m__({})", one.number));
        match &arm.guard {
            None => {
                if let Some(deleted) = deleted {
                    let (at, group) = (self.part(&arm.pat).1, self.place(&all));
                    self.edits.insert(at, format!(" if /*G{group}*/{deleted}/*E*/"));
                }
            }
            Some((_, guard)) if !has_let(guard) => {
                let guards = self.at(&**guard, "MatchArmGuard");
                let number = |truth: &str| {
                    let found = guards.iter().find(|one| one.replacement == truth);
                    found.map(|one| format!("crate::m__({})", one.number))
                };
                let always = number("true").map(|it| format!("{it} || ")).unwrap_or_default();
                let never = number("false").map(|it| format!("!{it} && ")).unwrap_or_default();
                let deleted = deleted.map(|it| format!("{it} && ")).unwrap_or_default();
                all.extend(guards.iter().cloned());
                if !all.is_empty() {
                    let (part, group) = (self.part(&**guard), self.place(&all));
                    let before = format!("/*G{group}*/{deleted}({always}{never}(");
                    self.edits.wrap(part, before, "))/*E*/".into());
                }
            }
            Some(_) => {}
        }
        syn::visit::visit_arm(self, arm);
    }
}

fn position(at: proc_macro2::LineColumn) -> Position {
    Position { line: at.line, column: at.column + 1 }
}

/// A chain of conditions with `let`, which cannot be taken apart.
fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Paren(inner) => has_let(&inner.expr),
        Expr::Binary(both) => has_let(&both.left) || has_let(&both.right),
        _ => false,
    }
}

const fn is_assignment(op: BinOp) -> bool {
    matches!(
        op,
        BinOp::AddAssign(_)
            | BinOp::SubAssign(_)
            | BinOp::MulAssign(_)
            | BinOp::DivAssign(_)
            | BinOp::RemAssign(_)
            | BinOp::BitXorAssign(_)
            | BinOp::BitAndAssign(_)
            | BinOp::BitOrAssign(_)
            | BinOp::ShlAssign(_)
            | BinOp::ShrAssign(_)
    )
}
