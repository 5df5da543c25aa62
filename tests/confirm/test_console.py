"""The mail of the story, in the ways in which people write it, and texts that only look like it."""

from __future__ import annotations

import pytest

from scanner.examples import expand
from tests.confirm import leaks
from tests.conftest import Find, Secrets

URL = "https://{{digits:12}}.signin.aws.amazon.com/console"

MAILS = {
    "labels": f"User name: team7\nPassword: <PW>\nConsole: {URL}\n",
    "URL first": f"Sign in at {URL}\n\nuser: team7\npassword: <PW>\n",
    "labels in bold": f"**Username**: team7\n**Password**: `<PW>`\n**URL**: {URL}\n",
    "a sentence": f"Hello,\nyour user is team7 and your password is <PW>\nLog in at {URL}.\n",
    "a sentence with a full stop": f"Your password is <PW>. Please change it at {URL}.\n",
    "equals": f"console={URL}\nuser=team7\npass=<PW>\n",
    "arrows": f"login -> team7\npassword -> <PW>\n{URL}\n",
    "next line": f"User name\nteam7\n\nPassword\n<PW>\n\n{URL}\n",
    "a table": f"| user | password |\n| Password | <PW> |\n| URL | {URL} |\n",
    "tabs": f"User\tteam7\nPassword\t<PW>\nURL\t{URL}\n",
    "console CSV": f"User name,Password,Console sign-in URL\nteam7,<PW>,{URL}\n",
    "console CSV with keys": f"User name,Password,Access key ID,Secret access key,Console login link\nteam7,<PW>,,,{URL}\n",
    "account number": "AWS account: 1234-5678-9012\nIAM user: team7\nPassword: <PW>\n",
    "account id": "Account ID 123456789012\nlogin: team7\npw: <PW>\n",
    "SSO portal": "Portal https://d-1234567890.awsapps.com/start\nuser team7\ntemporary password: <PW>\n",
    "console.aws": "https://eu-west-1.console.aws.amazon.com/\nusername: team7 / password: <PW>\n",
    "German": f"Anmeldung: {URL}\nBenutzername: team7\nPasswort: <PW>\n",
    "French": f"{URL}\nutilisateur : team7\nmot de passe : <PW>\n",
    "Spanish": f"{URL}\nusuario: team7\ncontraseña: <PW>\n",
    "JSON": f'{{"console": "{URL}", "user": "team7", "password": "<PW>"}}',
    "YAML": f"aws:\n  url: {URL}\n  user: team7\n  password: <PW>\n",
    "CRLF": f"User name: team7\r\nPassword: <PW>\r\n{URL}\r\n",
    "quoted mail": f"> User name: team7\n> Password: <PW>\n> {URL}\n",
    "far but in one text": f"{URL}\n" + "Please read the rules of the course.\n" * 25 + "Password: <PW>\n",
    "aligned without a sign": f"URL   {URL}\nuser  team7\npass  <PW>\n",
    "name and password by a slash": f"Log in at {URL} with team7 / <PW>\n",
    "name and password by a colon": "signin.aws.amazon.com team7:<PW>\n",
    "initial password in brackets": f"Password (initial): <PW>\nConsole: {URL}\n",
    **leaks.MAILS,
}


@pytest.mark.parametrize("form", MAILS)
def test_the_password_of_a_mail_is_found(form: str, find: Find, secrets: Secrets) -> None:
    password = secrets.password()
    text = expand(MAILS[form]).replace("<PW>", password)
    (match,) = find(text)
    assert match.rule.id == "aws-console-password", text
    assert match.secret == password.encode()
    assert text.encode()[match.start : match.end] == password.encode()
    assert "near an AWS console address or account number" in match.evidence


NO_MAILS = {
    "no console": "User name: team7\nPassword: <PW>\nhttps://example.org/login\n",
    "far away": f"{URL}\n" + "line\n" * 400 + "Password: <PW>\n",
    "a placeholder": f"Password: <your password>\n{URL}\n",
    "stars": f"Password: ********\n{URL}\n",
    "a variable": f"password: ${{PASSWORD}}\n{URL}\n",
    "a template": f"password: {{{{ user.password }}}}\n{URL}\n",
    "a word": f"password: required\n{URL}\n",
    "prose": f"Choose a password. The password policy applies. Forgot your password? See {URL}\n",
    "code": f"password = get_password(user)\nurl = '{URL}'\n",
    "a reset link": f"Password: https://example.org/reset\n{URL}\n",
    "sent apart": f"Your password will follow in a separate mail.\n{URL}\n",
    "aligned words": f"Console  {URL}\nPassword   policy-applies\nUser     team7 / admins\n",
    "an address with a path": f"Log in at {URL} with team7/console-User2Guide.html\n",
    **leaks.NO_MAILS,
}


@pytest.mark.parametrize("form", NO_MAILS)
def test_what_holds_no_password_is_not_reported(form: str, find: Find, secrets: Secrets) -> None:
    found = find(expand(NO_MAILS[form]).replace("<PW>", secrets.password()))
    assert [match for match in found if not match.rule.generic] == []


COMMANDS = {
    "eb-database-password": [
        "eb create team7-env -db.engine postgres -db.user admin -db.pass <PW> --envvars A=1\n",
        "eb create --database.password=<PW>\n",
        'eb create -db.password "<PW>"\n',
    ],
    "rails-secret-key-base": [
        "eb create team7 --envvars SECRET_KEY_BASE={{hex:128}},RAILS_ENV=production\n",
        "eb setenv SECRET_KEY_BASE={{hex:128}}\n",
        "heroku config:set SECRET_KEY_BASE='{{hex:128}}'\n",
        "production:\n  secret_key_base: {{hex:128}}\n",
        "config.secret_key_base = '{{hex:128}}'\n",
    ],
    "rails-master-key": ["RAILS_MASTER_KEY={{hex:32}} bin/rails s\n", "docker run -e RAILS_MASTER_KEY={{hex:32}} app\n"],
}


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in COMMANDS.items() for text in texts])
def test_what_stands_on_command_lines_is_found(rule: str, text: str, find: Find, secrets: Secrets) -> None:
    found = find(expand(text).replace("<PW>", secrets.password()))
    assert [match.rule.id for match in found] == [rule]
