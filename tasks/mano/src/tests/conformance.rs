use haltbench_sdk::conformance::check_task;

#[test]
fn mano_keeps_its_promises() {
    check_task(&crate::prefix::DECLARATION);
}

#[test]
fn mano_stream_keeps_its_promises() {
    check_task(&crate::stream::DECLARATION);
}
