//! `worknode capability`: secrets that say what their holder may do.

use std::{fs, io::Read, path::Path};

use serde_json::{Value, json};
use worknode_core::{
    error::{Code, Error},
    ids::NodeId,
    time::Timestamp,
    usage::Usd,
};
use worknode_daemon::{daemon::STATE, keys, view::NodeView};
use worknode_policies::{
    capability::{LENGTH, Narrowing, Opened, Revoked, Ring, attenuate, chain, open, seal},
    verdict::PublicKey,
};

use super::{dry, now};
use crate::{
    answers::own::CapabilityTold,
    args::capability::{Attenuate, Capability, Limits, New, Revoke, Verify},
    client::escaped,
    output::{self, Form, dim, paint},
    place::Place,
};

pub(crate) async fn capability(place: &Place, command: Capability, form: Form) -> Result<(), Error> {
    match command {
        Capability::New(args) => new(place, args, form).await,
        Capability::Show(which) => show(&chain::peek(&token(&which.file)?)?, form),
        Capability::Attenuate(args) => narrow(place, args, form).await,
        Capability::Verify(args) => verify(place, &args, form),
        Capability::Revoke(args) => revoke(place, args, form).await,
        Capability::Rotate { grace } => {
            let body = json!({ "grace": grace.map(|grace| grace.to_string()) });
            let turned: Value = place.client()?.post("/capabilities/rotate", &body).await?;
            answer(&turned, form, |turned| {
                format!(
                    "the key is {} now; the last one counts until {}",
                    word(turned, "present"),
                    word(turned, "last_until")
                )
            })
        }
    }
}

fn answer(value: &Value, form: Form, text: impl FnOnce(&Value) -> String) -> Result<(), Error> {
    match form {
        Form::Json => output::json(value),
        Form::Text => {
            output::line(text(value));
            Ok(())
        }
    }
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// The text of a capability. No file of one is longer than a capability and its line end.
fn token(file: &Path) -> Result<String, Error> {
    let limit = u64::try_from(LENGTH).unwrap_or(u64::MAX).saturating_add(2);
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(limit).read_to_string(&mut text)
    } else {
        fs::File::open(file).and_then(|file| file.take(limit).read_to_string(&mut text))
    };
    read.map_err(|error| {
        let code = if error.kind() == std::io::ErrorKind::NotFound {
            Code::NotFound
        } else {
            Code::Usage
        };
        Error::new(
            code,
            format!("cannot read a capability in `{}`: {error}", file.display()),
        )
        .hint("name the file that it was written to, as by `worknode capability new NODE > FILE`")
    })?;
    Ok(text.trim().to_owned())
}

async fn new(place: &Place, args: New, form: Form) -> Result<(), Error> {
    let Limits {
        below,
        operations,
        files,
        usd,
        tokens,
        depth,
        fan_out,
        audience,
        time,
    } = args.limits;
    let some = |list: Value| (list.as_array().is_some_and(|list| !list.is_empty())).then_some(list);
    let body = json!({
        "node": args.node,
        "below": below,
        "for": time.map(|time| time.to_string()),
        "review": args.review,
        "operations": some(json!(operations)),
        "files": files,
        "usd": usd,
        "tokens": tokens,
        "depth": depth,
        "fan_out": fan_out,
        "audience": some(json!(audience)),
    });
    let issued: Value = place.client()?.post("/capabilities", &body).await?;
    answer(&issued, form, |issued| word(issued, "token").to_owned())
}

async fn narrow(place: &Place, args: Attenuate, form: Form) -> Result<(), Error> {
    let Attenuate {
        which,
        limits,
        note,
        seal: sealed,
    } = args;
    let subtree = match &limits.below {
        Some(below) => Some(node(place, below).await?),
        None => None,
    };
    let narrowing = Narrowing {
        operations: (!limits.operations.is_empty()).then(|| limits.operations.into_iter().collect()),
        subtree,
        files: (!limits.files.is_empty()).then_some(limits.files),
        usd: limits.usd.map(Usd::from),
        tokens: limits.tokens,
        depth: limits.depth,
        fan_out: limits.fan_out,
        expires: limits.time.map(|time| now().plus(time.0)),
        audience: (!limits.audience.is_empty()).then(|| limits.audience.into_iter().collect()),
        note,
    };
    let mut made = attenuate(&token(&which.file)?, &narrowing)?;
    if sealed {
        made = seal(made.reveal())?;
    }
    match form {
        Form::Json => {
            let mut told = told(&chain::peek(made.reveal())?);
            told.token = Some(made.reveal().to_owned());
            output::json(&told)
        }
        Form::Text => {
            output::line(made.reveal());
            Ok(())
        }
    }
}

/// An id is taken as it is, offline; only for a name somebody has to be asked.
async fn node(place: &Place, text: &str) -> Result<NodeId, Error> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let found: NodeView = place.client()?.get(&format!("/nodes/{}", escaped(text))).await?;
    Ok(found.id)
}

fn verify(place: &Place, args: &Verify, form: Form) -> Result<(), Error> {
    let dir = place.dir.join(STATE).join("keys");
    let (ring, revoked) = match &args.key {
        Some(key) => {
            let key: PublicKey = key
                .parse()
                .map_err(|error| Error::new(Code::Usage, format!("{error}")))?;
            (Ring::from(key), Revoked::default())
        }
        None => keys::ring(&dir)?.ok_or_else(|| {
            Error::new(
                Code::NotFound,
                format!("there are no keys in `{}`", dir.display()),
            )
            .hint("name the runtime's public key with --key, or the team's directory with -C")
        })?,
    };
    let opened = open(&token(&args.which.file)?, &ring)?;
    // The tree and the team's name are the daemon's: here each part is taken to be below the one before.
    let here = opened.claims().limits.audience.iter().flatten().next().cloned();
    let here = here.unwrap_or_default();
    let at: Timestamp = args.at.unwrap_or_else(now);
    opened.check(at, &here, |_, _| true)?;
    revoked.check(&opened, |node, top| node == top)?;
    if form == Form::Text {
        output::line("it counts: every signature is good, it has not expired, and it is not revoked");
    }
    show(&opened, form)
}

async fn revoke(place: &Place, args: Revoke, form: Form) -> Result<(), Error> {
    let id = match &args.token {
        Some(file) => chain::peek(&token(file)?)?.ids().last().cloned(),
        None => args.id.clone(),
    };
    if args.dry_run {
        let what = match (&id, &args.task, &args.below) {
            (Some(id), ..) => format!("capability {id} and all that was made from it"),
            (None, Some(task), _) => {
                format!(
                    "the capabilities of task {task} up to epoch {}",
                    args.epoch.unwrap_or_default()
                )
            }
            (None, None, below) => format!(
                "all capabilities for what is below {}",
                below.as_deref().unwrap_or("root")
            ),
        };
        return dry::would("revoke", &[what], form);
    }
    let body = json!({
        "id": id, "task": args.task, "epoch": args.epoch, "below": args.below, "reason": args.reason,
    });
    let revoked: Value = place.client()?.post("/capabilities/revoke", &body).await?;
    answer(&revoked, form, |revoked| {
        format!("revoked at {}", word(revoked, "at"))
    })
}

/// All that a capability says, without its secret.
fn told(opened: &Opened) -> CapabilityTold {
    let claims = opened.claims().clone();
    let before = opened.ids().split_last().map_or(&[][..], |(_, before)| before);
    CapabilityTold {
        id: opened.ids().last().cloned(),
        made_from: before.to_vec(),
        notes: opened.notes().to_vec(),
        sealed: opened.is_sealed(),
        principal: claims.principal,
        operations: claims.operations,
        subtree: claims.subtree,
        task: claims.task,
        raised: claims.raised,
        issued: claims.issued,
        expires: claims.expires,
        limits: claims.limits,
        token: None,
    }
}

fn show(opened: &Opened, form: Form) -> Result<(), Error> {
    let told = told(opened);
    if form == Form::Json {
        return output::json(&told);
    }
    let claims = opened.claims();
    let field = |name: &str, value: String| {
        output::line(format!("{} {value}", paint(&format!("{name:<10}"), dim())));
    };
    field("id", told.id.unwrap_or_default());
    field("holder", claims.principal.to_string());
    let may = json!(told.operations);
    let may: Vec<_> = may
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    field("may", may.join(", "));
    field("below", claims.subtree.to_string());
    if let Some(task) = claims.task {
        field("task", format!("{} at epoch {}", task.node, task.epoch));
    }
    field("until", claims.expires.to_string());
    for (name, value) in json!(told.limits).as_object().into_iter().flatten() {
        field(name, value.to_string());
    }
    for (id, note) in opened
        .ids()
        .iter()
        .zip(std::iter::once("").chain(opened.notes().iter().map(String::as_str)))
    {
        field("from", format!("{id} {note}").trim_end().to_owned());
    }
    if opened.is_sealed() {
        field("sealed", "it cannot be narrowed".to_owned());
    }
    Ok(())
}
