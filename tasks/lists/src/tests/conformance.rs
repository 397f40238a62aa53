use haltbench_sdk::conformance::check_task;

#[test]
fn unique_set_keeps_its_promises() {
    check_task(&crate::unique_set::DECLARATION);
}

#[test]
fn copy_keeps_its_promises() {
    check_task(&crate::copy::DECLARATION);
}
