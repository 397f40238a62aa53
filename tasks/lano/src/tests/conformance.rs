use haltbench_sdk::conformance::check_task;

#[test]
fn lano_keeps_its_promises() {
    check_task(&crate::lano::DECLARATION);
}
