use haltbench_sdk::conformance::check_task;

#[test]
fn flip_flop_keeps_its_promises() {
    check_task(&crate::task::DECLARATION);
}
