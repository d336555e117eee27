//! `amop cert`: certificates from the request to the revocation.
//!
//! Private keys do not travel. Whoever needs a certificate makes the key on the machine that will use it
//! and sends a request; the authority signs that elsewhere and sends a certificate back, which is put in
//! place only if all fits. Nothing here talks to a node: what a node needs is handed to it as files.
//!
//! An authority is three files beside each other, PREFIX.crt, PREFIX.key and PREFIX.crl.

pub(crate) mod args;
mod authority;
mod install;
mod look;
mod make;
mod place;
mod quick;
pub(crate) mod renewal;
mod revoke;
mod show;
mod sign;
mod site;

use crate::exit::Failure;
use crate::out::Out;

use args::{Cert, Crl};

pub(crate) use quick::quick;
pub(crate) use show::{date, left};

/// Runs one of the commands.
pub(crate) fn run(command: &Cert, out: &mut Out) -> Result<(), Failure> {
    match command {
        Cert::Quick(args) => quick(args, out),
        Cert::InitRoot(args) => make::root(args, out),
        Cert::InitAgency(args) => make::agency(args, out),
        Cert::Request(args) => make::request(args, out),
        Cert::ShowRequest(args) => sign::show_request(args, out),
        Cert::Sign(args) => sign::sign(args, out),
        Cert::Install(args) => install::install(args, out),
        Cert::Renew(args) => make::renew(args, out),
        Cert::Inspect(args) => look::inspect(args, out),
        Cert::Verify(args) => look::verify(args, out),
        Cert::Expiry(args) => look::expiry(args, out),
        Cert::Revoke(args) => revoke::revoke(args, out),
        Cert::Crl(Crl::Show(args)) => revoke::show(args, out),
        Cert::Crl(Crl::Make(args)) => revoke::make(args, out),
        Cert::Crl(Crl::Check(args)) => revoke::check(args, out),
    }
}
