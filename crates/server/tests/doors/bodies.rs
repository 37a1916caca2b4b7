//! Bodies of requests for a hook, and who is to blame when they take their time.

use std::time::Duration;

use hyper::{Request, StatusCode};
use relay_server::HttpBody;
use relay_server::hub::Limits;

use crate::hooks::{answer, body, fetch, status, talk, tell, with_hook};

/// The hook looks at the body when all of its client's time would be over.
#[test]
fn a_slow_hook_is_not_its_clients_fault() {
    let patience = Duration::from_secs(2);
    let limits = Limits { http_body_timeout: patience, ..Limits::default() };
    let hook = move |request| async move {
        tokio::time::sleep(patience + Duration::from_millis(500)).await;
        tell(request).await
    };
    with_hook(limits, hook, |it| {
        let told = fetch(it.address, "POST /told", &"x".repeat(1_500_000));
        assert_eq!(status(&told), 200);
        assert!(body(&told).ends_with(" 1500000"), "{told}");
    });
}

#[test]
fn a_client_that_owes_the_rest_of_a_body_is_waited_for_so_long() {
    let limits = Limits { http_body_timeout: Duration::from_millis(200), ..Limits::default() };
    let hook = |request: Request<HttpBody>| async {
        let error = request.into_body().collect().await.expect_err("there is no rest");
        answer(StatusCode::REQUEST_TIMEOUT, error.to_string())
    };
    with_hook(limits, hook, |it| {
        let half = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";
        let told = talk(it.address, half);
        assert_eq!((status(&told), body(&told)), (408, "the body did not arrive in time"));
    });
}
