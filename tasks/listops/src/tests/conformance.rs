use haltbench_sdk::conformance::check_task;

#[test]
fn listops_keeps_its_promises() {
    check_task(&crate::single::DECLARATION);
}

#[test]
fn listops_stream_keeps_its_promises() {
    check_task(&crate::stream::DECLARATION);
}
