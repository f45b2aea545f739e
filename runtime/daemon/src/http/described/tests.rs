use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use super::{openapi, page, routes::Verb};
use crate::http::routes;

fn each_operation(mut look: impl FnMut(&str, &Value)) {
    for (path, verbs) in openapi()["paths"].as_object().unwrap() {
        for (verb, operation) in verbs.as_object().unwrap() {
            look(&format!("{verb} {path}"), operation);
        }
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_route_is_in_the_document_and_the_reverse() {
    let made: BTreeSet<String> = routes()
        .into_operations()
        .iter()
        .map(|one| format!("{} /api/v1{}", one.verb.name(), one.path.replace("{*", "{")))
        .collect();
    let mut told = BTreeSet::new();
    each_operation(|name, _| told.extend([name.to_owned()]));
    assert_eq!(made, told);
}

/// Routes that are made in another way would not be in the document.
#[test]
fn no_route_is_made_without_a_description() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut dirs = vec![own.join("http")];
    let mut files = vec![own.join("http.rs")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                files.push(path);
            }
        }
    }
    for file in files {
        if file.ends_with("described/routes.rs") || file.ends_with("described/tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for made in [".route(", ".route_service(", "axum::routing"] {
            assert!(
                !text.contains(made),
                "{} has `{made}`: make routes with `Routes`, which describes them",
                file.display()
            );
        }
    }
}

#[test]
fn every_operation_says_what_it_is_and_answers() {
    let mut names = BTreeSet::new();
    each_operation(|name, operation| {
        let id = operation["operationId"].as_str().unwrap();
        assert!(names.insert(id.to_owned()), "{id} is the name of two");
        let says = operation["summary"].as_str().unwrap();
        assert!(!says.is_empty() && !says.ends_with('.'), "{name}: {says}");
        let answers = operation["responses"].as_object().unwrap();
        let done: Vec<_> = answers.keys().filter(|status| status.starts_with('2')).collect();
        assert!(!done.is_empty(), "{name} never succeeds");
        for status in done {
            let answer = &answers[status];
            assert!(
                !answer["description"].as_str().unwrap().is_empty(),
                "{name} {status}"
            );
            assert_eq!(
                answer.get("content").is_some(),
                status != "204",
                "{name} {status}"
            );
        }
    });
}

#[test]
fn every_part_of_a_path_is_a_parameter() {
    each_operation(|name, operation| {
        let named: Vec<&str> = name.split(['{', '}']).skip(1).step_by(2).collect();
        let parameters = operation["parameters"].as_array().unwrap();
        let told: Vec<&str> = parameters
            .iter()
            .filter(|one| one["in"] == "path")
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        assert_eq!(named, told, "{name}");
    });
}

/// An unknown field or parameter is refused by its name, never ignored.
#[test]
fn every_body_and_query_is_closed() {
    let document = openapi();
    let mut open = Vec::new();
    each_operation(|name, operation| {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        if schema.is_null() {
            return;
        }
        let pointer = schema["$ref"].as_str().map(|name| name.trim_start_matches('#'));
        let schema = pointer
            .map_or(Some(schema), |pointer| document.pointer(pointer))
            .unwrap();
        let forms = schema["anyOf"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![schema.clone()]);
        for form in forms {
            let pointer = form["$ref"].as_str().map(|name| name.trim_start_matches('#'));
            let form = pointer
                .map_or(Some(&form), |pointer| document.pointer(pointer))
                .unwrap();
            if form["additionalProperties"] != false && form["type"] != "null" {
                open.push(format!("{name}: {form}"));
            }
        }
    });
    assert_eq!(open, Vec::<String>::new());
}

#[test]
fn every_reference_leads_somewhere() {
    let document = openapi();
    let mut found = BTreeSet::new();
    references(document, &mut found);
    assert!(found.len() > 50, "{}", found.len());
    for name in found {
        assert!(document.pointer(name.trim_start_matches('#')).is_some(), "{name}");
    }
}

#[test]
fn every_example_is_one() {
    for one in routes().into_operations() {
        if let Some(example) = one.example {
            let read: Result<Value, _> = serde_json::from_str(example);
            assert!(read.is_ok_and(|value| value.is_object()), "{one:?}: {example}");
        }
        let writes = matches!(one.verb, Verb::Post | Verb::Put);
        assert!(one.example.is_none() || writes, "{one:?}");
    }
}

#[test]
fn the_page_shows_every_operation_and_loads_nothing() {
    let page = page::of(openapi());
    each_operation(|_, operation| {
        let id = operation["operationId"].as_str().unwrap();
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    });
    for loads in [
        "<script", "<link", "<img", "src=", "http://", "https://", "@import", "url(",
    ] {
        let style_and_markup = page.split("<h2 id=\"schemas\">").next().unwrap();
        assert!(!style_and_markup.contains(loads), "{loads}");
    }
    let nasty = serde_json::json!({
        "info": { "version": "<script>", "description": "a `<b>` c" }, "paths": {}, "components": {},
    });
    let page = page::of(&nasty);
    assert!(!page.contains("<script>") && page.contains("<code>&lt;b&gt;</code>"));
}
