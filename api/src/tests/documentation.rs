//! docs/compatibility.md lists the routes that exist: its table is made from the route table.

use super::Cloud;
use crate::compute::microversion::Microversion;
use crate::public;
use crate::web::routes::Service;

const BEGIN: &str = "<!-- generated: routes -->\n";
const END: &str = "<!-- end of generated -->\n";

fn tables(routes: &[crate::web::routes::Route]) -> String {
    let mut text = format!("\nCompute microversions: {} to {}.\n", Microversion::MIN, Microversion::MAX);
    for (service, title) in [
        (Service::Identity, "Identity v3"),
        (Service::Compute, "Compute v2.1"),
        (Service::Image, "Image v2"),
        (Service::Operator, "Operator v1 (Cuttle's own)"),
    ] {
        text += &format!("\n### {title}\n\n| method | path | who |\n|---|---|---|\n");
        for route in routes.iter().filter(|route| route.service == service) {
            text += &format!("| {} | `{}` | {} |\n", route.method, route.path, route.access.as_str());
        }
    }
    text + "\n"
}

#[tokio::test]
async fn documented_routes_are_those_that_exist() {
    let cloud = Cloud::new().await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/compatibility.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the mark where the tables begin");
    let (_, after) = rest.split_once(END).expect("the mark where the tables end");
    let expected = format!("{before}{BEGIN}{}{END}{after}", tables(&public::table(&cloud.shared)));
    if std::env::var_os("CUTTLE_GENERATE").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), expected, "docs/compatibility.md is out of date");
}
