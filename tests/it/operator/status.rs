//! The status tells how things stand, and of which revision.

use super::*;

fn release(world: &World) -> Value {
    status(world)["release"].take()
}

async fn until(world: &World, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..86_400 {
        let release = release(world);
        if wanted(&release) {
            return release;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("not within a day: {}", release(world));
}

/// Numbers alone are news every five minutes; that something is wrong is news at once.
#[tokio::test(start_paused = true)]
async fn an_outage_of_both_versions_is_told_soon_and_so_is_its_end() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    until(&world, |it| it["step"] == 2 && it["weight"]["observed"] == 25).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let said = |it: &Value| {
        let verdicts = it["verdicts"].as_array().into_iter().flatten();
        let reasons = verdicts.filter(|it| it["step"] == 2 && it["metric"] == "error-rate");
        reasons
            .filter_map(|it| it["reason"].as_str())
            .map(str::to_owned)
            .collect::<String>()
    };
    for failing in [0.5, 0.0] {
        for image in ["checkout:v1", "checkout:v2"] {
            world.define_image(image, Image::failing(failing));
        }
        tokio::time::sleep(Duration::from_secs(45)).await;
        let said = said(&release(&world));
        assert_eq!(
            said.contains("both arms are far worse than usual"),
            failing > 0.0,
            "{said}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_revision_is_not_told_with_the_verdicts_of_the_one_before() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    let first = until(&world, |it| it["step"] == 2 && it["weight"]["observed"] == 25).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.define_image("checkout:v3", Image::failing(0.0));
    world.set_image("shop", "checkout", "checkout:v3").unwrap();
    until(&world, |it| {
        let lists = ["verdicts", "trail"]
            .into_iter()
            .filter_map(|list| it[list].as_array());
        let steps: Vec<_> = lists.flatten().map(|it| &it["step"]).collect();
        let newer = it["revision"] != first["revision"];
        assert!(
            !newer || !steps.iter().any(|step| **step == 2) || it["step"] == 2,
            "{it}"
        );
        newer && it["step"] == 2
    })
    .await;
}
