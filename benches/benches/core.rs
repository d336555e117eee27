//! What the core of a node costs for each message, without any I/O: input in, effects out.
//!
//! One iteration is a batch of 64 messages with the answers or receipts to them; the throughput
//! says what that means for one message.

use std::time::Duration;

use benches::{BATCH_MESSAGES, Scene, handle_all};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn core(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core");
    group.throughput(Throughput::Elements(BATCH_MESSAGES.into()));
    for scene in Scene::ALL {
        let (mut node, mut traffic) = scene.set(256);
        group.bench_function(scene.name(), |bencher| {
            bencher.iter_batched(
                || traffic.next_batch(),
                |inputs| {
                    let effects = handle_all(&mut node, inputs);
                    assert_eq!(effects, scene.effects_per_batch(), "the node did other work");
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Short enough that the suite is run often.
fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(30)
}

criterion_group! { name = suite; config = quick(); targets = core }
criterion_main!(suite);
