"""Ask the API server whose token this is, and what they may do. Nothing is remembered here.

https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/
"""

from typing import cast

from kubernetes import client

from labeltask_contract.names import GROUP
from labeltask_gateway.api_errors import API_CALL_ERRORS, translate
from labeltask_gateway.cluster import Identity


class Reviews:
    """For one namespace."""

    def __init__(self, api: client.ApiClient, namespace: str, timeout: tuple[float, float]) -> None:
        self._namespace = namespace
        self._timeout = timeout
        self._authentication = client.AuthenticationV1Api(api)
        self._authorization = client.AuthorizationV1Api(api)

    def token(self, token: str, audiences: tuple[str, ...]) -> Identity | None:
        """Return whose token it is; None when the API server does not know it for these audiences."""
        body = {"spec": {"token": token, **({"audiences": list(audiences)} if audiences else {})}}
        try:
            review = self._authentication.create_token_review(
                cast("client.V1TokenReview", body), _request_timeout=self._timeout
            )
        except API_CALL_ERRORS as error:
            # The review that was sent holds the token, and an answer may quote it.
            raise translate(error, "review a token") from None
        status = review.status
        if status is None or not status.authenticated or status.user is None:
            return None
        # An API server that ignores audiences would take a token made for somebody else.
        if audiences and not set(audiences) & set(status.audiences or ()):
            return None
        user = status.user
        return Identity(str(user.username), str(user.uid or ""), tuple(user.groups or ()))

    def access(self, identity: Identity, verb: str, plural: str) -> bool:
        """Tell whether they may, by a LocalSubjectAccessReview: the right to make one ends at the namespace."""
        attributes = {"namespace": self._namespace, "verb": verb, "group": GROUP, "resource": plural}
        spec = {
            "user": identity.username,
            "uid": identity.uid,
            "groups": list(identity.groups),
            "resourceAttributes": attributes,
        }
        body = {"metadata": {"namespace": self._namespace}, "spec": spec}
        try:
            review = self._authorization.create_namespaced_local_subject_access_review(
                self._namespace, cast("client.V1LocalSubjectAccessReview", body), _request_timeout=self._timeout
            )
        except API_CALL_ERRORS as error:
            raise translate(error, "review an access") from None
        return bool(review.status and review.status.allowed)
