"""What a source may say of its credentials and its way to AWS, and how what does not fit together is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from cost_lakehouse.config import SourceSettings, load_settings
from cost_lakehouse.errors import ConfigurationError

ROLE = "arn:aws:iam::111122223333:role/path/read-the-bill"


def source_of(folder: Path, options: str) -> SourceSettings:
    file = folder / "lakehouse.yaml"
    file.write_text(f"sources: [{{name: a, kind: aws_cur, location: 's3://b/p/r', {options}}}]", encoding="utf-8")
    (source,) = load_settings(file).sources
    return source


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("role_arn: read-the-bill", r"role_arn: write a role's ARN"),
        ("role_arn: ['arn:aws:iam::1:role/r']", r"role_arn: write a role's ARN"),
        ("role_arn: 'arn:aws:iam::111122223333:user/u'", r"role_arn: write a role's ARN"),
        ("external_id: 4711-a", "external_id goes with role_arn"),
        ("session_name: bills", "session_name goes with role_arn"),
        ("web_identity_token_file: /token", "web_identity_token_file goes with role_arn"),
        ("sts_region: eu-west-1", "sts_region goes with role_arn"),
        ("sts_endpoint: 'https://sts'", "sts_endpoint goes with role_arn"),
        (f"role_arn: '{ROLE}', external_id: 's3cret with a blank'", "external_id: AWS takes 2 to 1224 letters"),
        (f"role_arn: '{ROLE}', session_name: 'bills of acme'", "session_name: AWS takes 2 to 64 letters"),
        (f"role_arn: '{ROLE}', web_identity_token_file: token", "web_identity_token_file: write an absolute path"),
        (f"role_arn: '{ROLE}', web_identity_token_file: /t, profile: p", "are different credentials; keep one of them"),
        (f"role_arn: '{ROLE}', web_identity_token_file: /t, external_id: ab", "external_id is not sent with a web identity"),
        (f"role_arn: '{ROLE}', sts_endpoint: sts.amazonaws.com", "sts_endpoint: write https://host"),
        ("proxy: 'lakehouse:s3cret@proxy:3128'", "proxy: write http://host:port"),
        ("proxy: 'http://lakehouse:s3cret@proxy:port'", "proxy: write http://host:port"),
        ("requester_pays: sometimes", "requester_pays: Input should be a valid boolean"),
    ],
)
def test_what_does_not_fit_is_said_by_field_and_without_its_value(tmp_path: Path, options: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        source_of(tmp_path, options)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("options", ["proxy: 'http://p:1'", "requester_pays: true", f"role_arn: '{ROLE}'"])
def test_a_folder_is_reached_without_any_of_it(tmp_path: Path, options: str) -> None:
    file = tmp_path / "lakehouse.yaml"
    file.write_text(f"sources: [{{name: a, kind: aws_cur, location: folder, {options}}}]", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="only fits a location that starts with s3://"):
        load_settings(file)


def test_one_role_may_be_written_as_text_and_several_as_a_list(tmp_path: Path) -> None:
    other = "arn:aws-us-gov:iam::444455556666:role/hub"
    assert source_of(tmp_path, "profile: p").role_arns == ()
    assert source_of(tmp_path, f"role_arn: '{ROLE}'").role_arns == (ROLE,)
    chained = source_of(tmp_path, f"role_arn: ['{other}', '{ROLE}'], web_identity_token_file: /token, external_id: an-id")
    assert chained.role_arns == (other, ROLE)


def test_what_no_message_may_hold_is_known(tmp_path: Path) -> None:
    source = source_of(
        tmp_path, f"access_key: A, secret_key: B, role_arn: '{ROLE}', external_id: C-1, proxy: 'http://u:D%20@p:1'"
    )
    assert set(source.secrets) == {"A", "B", "C-1", "http://u:D%20@p:1", "D%20"}
    assert not any(f"'{secret}'" in f"{source!r}" for secret in source.secrets)
