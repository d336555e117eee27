//! What it costs to choose one subscriber of a topic for a message.

use std::hint::black_box;
use std::time::Duration;

use amop_topic_table::TopicTable;
use amop_wire::{Epoch, Gen, MsgId, Subscriber};
use benches::{sample_instance, sample_topic};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn choice(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("choice");
    let topic = sample_topic();
    for subscribers in [1, 100, 1_000, 10_000] {
        let table = table(subscribers);
        let mut id = MsgId { publisher: sample_instance(0), counter: 0 };
        group.bench_function(BenchmarkId::from_parameter(subscribers), |bencher| {
            bencher.iter(|| {
                id.counter += 1;
                black_box(table.choose(black_box(&topic), id, &[])).expect("there are subscribers")
            });
        });
    }
    group.finish();
}

fn table(subscribers: u64) -> TopicTable {
    let mut table = TopicTable::new("n1.node.bank-a.amop".parse().expect("a name"), Epoch(1));
    for index in 0..subscribers {
        let subscriber = Subscriber { instance: sample_instance(index), generation: Gen(1) };
        table.subscribe(&sample_topic(), subscriber).expect("the table has room");
    }
    table
}

/// Short enough that the suite is run often.
fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(30)
}

criterion_group! { name = suite; config = quick(); targets = choice }
criterion_main!(suite);
