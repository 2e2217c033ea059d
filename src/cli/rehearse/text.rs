//! The answer for people: at most 30 lines, whatever the Rollout.

use std::io::{self, Write};

use super::scene::{Found, Scene};
use super::{findings, words};
use crate::engine::state::Cause;
use crate::engine::words::{grouped, percent};
use crate::rehearsal::{Because, CAUGHT, SLIPS, Spread, StepSummary, Trouble};

/// Columns of a line.
const WIDTH: usize = 110;
/// Where what is behind a share begins.
const DETAIL: usize = 34;
/// Lines of an answer.
const LINES: usize = 30;
/// Steps that are shown at most.
const STEPS: usize = 5;

/// Writes all that was found.
pub(super) fn write(scene: &Scene<'_>, found: &Found, out: &mut dyn Write) -> io::Result<()> {
    let mut text = Vec::new();
    head(scene, &mut text)?;
    ends(scene, found, &mut text)?;
    steps(scene, found, &mut text)?;
    extremes(scene, found, &mut text)?;
    trouble(scene, found, &mut text)?;
    let mut last = Vec::new();
    legend(scene, &mut last)?;
    // Advice comes in the order of what it leaves of the Rollout; what does not fit is left out.
    let lines = |part: &[u8]| part.split(|byte| *byte == b'\n').count() - 1;
    for one in found.advice.iter().flat_map(|(_, advice)| advice) {
        let mut more = Vec::new();
        wrapped(
            &format!("→ {}", findings::advice(scene, found, one)),
            "  ",
            &mut more,
        )?;
        if lines(&text) + lines(&more) + lines(&last) <= LINES {
            text.append(&mut more);
        }
    }
    out.write_all(&text)?;
    out.write_all(&last)
}

fn head(scene: &Scene<'_>, out: &mut dyn Write) -> io::Result<()> {
    let traffic = &scene.assumed.traffic;
    let named = if traffic.name.is_empty() {
        String::new()
    } else {
        format!(", scenario {}", traffic.name)
    };
    writeln!(
        out,
        "{}: {}{named}, seed {}",
        scene.rollout.title,
        words::counted(scene.runs, "simulated release"),
        scene.assumed.seed
    )?;
    let fails = if traffic.candidate.to_bits() == traffic.baseline.to_bits() {
        format!("{} fail in both versions", percent(traffic.baseline))
    } else {
        format!(
            "{} fail in the old version, {} in the new one",
            percent(traffic.baseline),
            percent(traffic.candidate)
        )
    };
    let line = format!(
        "{}, {fails}{}; {}; a look every {}",
        words::pace(traffic.pace),
        words::extra(traffic.extra),
        words::counted(scene.setting.pods.into(), "pod"),
        words::setting(scene.plan().analysis.interval.as_secs_f64())
    );
    wrapped(&line, "", out)?;
    for note in scene.notes() {
        wrapped(&note, "", out)?;
    }
    writeln!(out)
}

fn ends(scene: &Scene<'_>, found: &Found, out: &mut dyn Write) -> io::Result<()> {
    let summary = &found.summary;
    let promoted = summary
        .minutes_to_full
        .as_ref()
        .zip(summary.minutes_to_end.as_ref());
    let promoted = promoted.map_or_else(String::new, |(full, end)| {
        format!(
            "all traffic after {}, done after {}",
            words::minutes(full),
            words::minutes(end)
        )
    });
    let back = summary.minutes_to_rollback.as_ref().zip(summary.harm.as_ref());
    let back = back.map_or_else(String::new, |(minutes, harm)| {
        let doubt = summary.causes.get(Cause::Inconclusive.label());
        let doubt = doubt.map_or_else(String::new, |share| {
            format!("; {} % for want of a verdict", words::share(*share))
        });
        format!("after {}{}{doubt}", words::minutes(minutes), harmed(harm))
    });
    let held = match (
        summary.held.share,
        summary.held_then_promoted,
        summary.held_then_rolled_back,
    ) {
        (0.0, ..) => String::new(),
        (_, up, down) => format!(
            "later {} % promoted and {} % rolled back all the same (looked at for {})",
            words::share(up),
            words::share(down),
            words::setting(scene.setting.horizon.as_secs_f64())
        ),
    };
    let rows = [
        ("promoted", &summary.promoted, promoted),
        ("rolled back", &summary.rolled_back, back),
        ("held", &summary.held, held),
    ];
    for (name, share, detail) in rows {
        let line = format!(
            "{name:<11} {:>5} %  {:<12} {detail}",
            words::share(share.share),
            format!("({})", words::interval(share))
        );
        wrapped(line.trim_end(), &" ".repeat(DETAIL), out)?;
    }
    writeln!(out)
}

/// What a regression did before it was rolled back.
fn harmed(harm: &Spread) -> String {
    if harm.p90 <= 0.0 {
        return String::new();
    }
    format!(
        ", having failed {} (at most {} in 9 of 10)",
        words::requests(harm.mean),
        grouped(harm.p90.round() as u64)
    )
}

fn steps(scene: &Scene<'_>, found: &Found, out: &mut dyn Write) -> io::Result<()> {
    let line = |number: &str, weight: &str, hold: &str, took: &str, rest: &str| {
        format!("{number:<5} {weight:<12} {hold:<9} {took:<18} {rest}")
    };
    let title = line("step", "weight", "at least", "took", "no verdict in time");
    writeln!(out, "{title}")?;
    let all = &found.summary.steps;
    let telling = telling(all);
    for index in &telling {
        let step = &all[*index];
        let took = step
            .minutes
            .as_ref()
            .map_or_else(|| "–".to_owned(), words::minutes);
        let horizon = scene.setting.horizon.as_secs_f64();
        let until = if horizon < step.deadline {
            format!("looked at for {}", words::setting(horizon))
        } else {
            format!("deadline {}", words::setting(step.deadline))
        };
        let rest = format!("{} % ({until})", words::share(step.stuck));
        let number = (index + 1).to_string();
        let row = line(&number, &weights(step), &words::setting(step.hold), &took, &rest);
        writeln!(out, "{row}")?;
    }
    if telling.len() < all.len() {
        writeln!(
            out,
            "and {} more of which there is less to tell",
            all.len() - telling.len()
        )?;
    }
    writeln!(out)
}

/// Where releases stand or last longest, in order.
fn telling(all: &[StepSummary]) -> Vec<usize> {
    let took = |step: &StepSummary| step.minutes.map_or(0.0, |minutes| minutes.p50);
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&all[*a], &all[*b]);
        b.stuck.total_cmp(&a.stuck).then(took(b).total_cmp(&took(a)))
    });
    order.truncate(STEPS);
    order.sort_unstable();
    order
}

fn weights(step: &StepSummary) -> String {
    let all: Vec<String> = step.weights.iter().map(u8::to_string).collect();
    format!("{} %", all.join(", "))
}

fn extremes(scene: &Scene<'_>, found: &Found, out: &mut dyn Write) -> io::Result<()> {
    let baseline = scene.assumed.traffic.baseline;
    let caught = match &found.extremes.caught {
        Some(probe) => {
            let after = probe.minutes.as_ref().map_or_else(String::new, |minutes| {
                format!(", after {}", words::minutes(minutes))
            });
            let harm = probe.harm.as_ref().map_or_else(String::new, |harm| {
                format!(", having failed {}", words::requests(harm.mean))
            });
            format!(
                "Caught: a version that fails {}{} or more is rolled back in {:.0} % of releases{after}{harm}.",
                percent(probe.rate),
                words::times(probe.rate, baseline),
                CAUGHT * 100.0
            )
        }
        None => format!(
            "Caught: nothing for sure. Not even a version that fails always is rolled back in {:.0} % of releases.",
            CAUGHT * 100.0
        ),
    };
    let slips = match &found.extremes.slips {
        Some(probe) => format!(
            "Can slip through: a version that fails {}{} is promoted in {:.0} % of releases or more.",
            percent(probe.rate),
            words::times(probe.rate, baseline),
            SLIPS * 100.0
        ),
        None => format!(
            "Can slip through: no version that is worse is promoted in {:.0} % of releases.",
            SLIPS * 100.0
        ),
    };
    wrapped(&caught, "", out)?;
    wrapped(&slips, "", out)?;
    if let Some(thin) = findings::thin(scene, found) {
        wrapped(&thin, "", out)?;
    }
    writeln!(out)
}

fn trouble(scene: &Scene<'_>, found: &Found, out: &mut dyn Write) -> io::Result<()> {
    let Some((trouble, advice)) = &found.advice else {
        return writeln!(out, "{}", findings::content(found));
    };
    wrapped(&findings::trouble(scene, trouble), "", out)?;
    if advice.is_empty() && !hopeless(trouble) {
        writeln!(out, "No setting that was tried helps.")?;
    }
    Ok(())
}

/// Whether no setting was to be tried.
fn hopeless(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Stuck(stuck) => matches!(stuck.because, Because::Time | Because::Promotion),
        Trouble::Missed(_) => false,
    }
}

fn legend(scene: &Scene<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\nIn brackets: after a share what {} open (95 %), after a time what 8 of 10 releases take.",
        match scene.runs {
            1 => "1 run leaves".to_owned(),
            runs => format!("{} runs leave", grouped(runs)),
        }
    )
}

/// Writes a text in lines of limited width.
fn wrapped(text: &str, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", crate::cli::text::wrapped(text, indent, WIDTH))
}
