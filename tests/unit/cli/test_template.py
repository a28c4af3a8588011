"""Go templates, against what docker 28.2 printed for the same template."""

import pytest

from hakobu.cli.template.evaluate import Template
from hakobu.cli.template.lexer import TemplateError
from hakobu.cli.template.value import Method, Record, structured

CONTAINER = structured(
    {
        "Id": "288cc63335fbd780",
        "Name": "/c1",
        "State": {"Status": "running", "Running": True, "Paused": False, "Pid": 19422},
        "SizeRw": None,
        "Config": {
            "Env": ["X=a<b", "PATH=/bin"],
            "Cmd": ["sh", "-c", "sleep 5"],
            "Image": "bb",
            "Labels": {"c": "", "a": "b"},
            "Volumes": None,
            "Entrypoint": None,
        },
        "HostConfig": {
            "LogConfig": {"Type": "json-file", "Config": {}},
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "CapAdd": None,
        },
        "NetworkSettings": {
            "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]},
            "Networks": {"n1": {"IPAddress": "172.18.0.2"}, "bridge": {"IPAddress": "172.17.0.2"}},
        },
    }
)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Config.Labels}}", "map[a:b c:]"),
        ("{{.Config.Env}}", "[X=a<b PATH=/bin]"),
        ('{{index .Config.Labels "a"}}', "b"),
        (
            "{{range $k,$v := .NetworkSettings.Networks}}{{$k}}={{$v.IPAddress}} {{end}}",
            "bridge=172.17.0.2 n1=172.18.0.2 ",
        ),
        ('{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "8080"),
        ('{{printf "%q %v %d %5s|%-5s|" .Name .State.Running .State.Pid "ab" "cd"}}', '"/c1" true 19422    ab|cd   |'),
        ('{{if eq .State.Status "running"}}Y{{else}}N{{end}}', "Y"),
        ("{{if eq .State.Pid 1}}a{{else if gt .State.Pid 1}}b{{else}}c{{end}}", "b"),
        ('{{join .Config.Cmd ","}} {{upper .Name}} {{.Name | lower | printf "%s!"}}', "sh,-c,sleep 5 /C1 /c1!"),
        ("{{with .Config}}{{.Image}}{{end}}{{with .State.Health}}x{{else}}none{{end}}", "bbnone"),
        ("{{len .Config.Env}} {{.Id | len}}", "2 16"),
        ("{{slice .Id 0 12}}", "288cc63335fb"),
        ('{{not true}} {{and 1 0}} {{or 0 "x"}}', "false 0 x"),
        ('{{ $x := 3 }}{{$x}}{{/* c */}} {{- "trim" -}} x', "3trimx"),
        ("{{json .Config.Labels}} {{json .HostConfig.CapAdd}}", '{"a":"b","c":""} null'),
        ("{{.HostConfig.RestartPolicy}} {{.HostConfig.LogConfig}}", "{no 0} {json-file map[]}"),
        ("{{.Config.Volumes}} {{.HostConfig.CapAdd}} {{.SizeRw}} {{.State.Health}}", "map[] [] <nil> <nil>"),
        ("{{range $i, $e := .Config.Env}}{{if $i}},{{end}}{{$e}}{{end}}", "X=a<b,PATH=/bin"),
        ('{{range .Config.Cmd}}{{if eq . "-c"}}{{continue}}{{end}}[{{.}}]{{end}}', "[sh][sleep 5]"),
        ('{{split .Name "/"}} {{title "ab cd"}} {{pad "x" 1 2}}| {{truncate .Id 5}}', "[ c1] Ab Cd  x  | 288cc"),
        ("{{println .Name}}{{print 1 2}}", "/c1\n1 2"),
        ("{{`raw {{`}}{{'a'}}", "raw {{97"),
        ("{{$.Name}}{{range .Config.Env}}{{$.Name}}{{end}}", "/c1/c1/c1"),
    ],
)
def test_values(template, text):
    assert Template(template).execute(CONTAINER) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{.State.Foo}}", 'template: :1:8: executing "" at <.State.Foo>: map has no entry for key "Foo"'),
        (
            "{{range .Config.Nope}}x{{end}}",
            'template: :1:15: executing "" at <.Config.Nope>: map has no entry for key "Nope"',
        ),
        (
            "{{index .Config.Cmd 9}}",
            'template: :1:2: executing "" at <index .Config.Cmd 9>: error calling index: index out of range: 9',
        ),
        ("{{foo}}", 'template: :1: function "foo" not defined'),
        ("{{range}}", "template: :1: missing value for range"),
        ("{{end}}", "template: :1: unexpected {{end}}"),
        ('{{"a', "template: :1: unterminated quoted string"),
        ("{{.ID", "template: :1: unclosed action"),
        ("{{if .Id}}", "template: :1: unexpected EOF"),
        ("{{$y}}", 'template: :1: undefined variable "$y"'),
    ],
)
def test_mistakes(template, message):
    with pytest.raises(TemplateError) as caught:
        Template(template).execute(CONTAINER)
    assert str(caught.value) == message


def test_rows_name_their_type_and_take_arguments():
    row = Record({"ID": lambda: "1", "Label": lambda: Method(lambda name: f"<{name}>")}, "*formatter.ContainerContext")
    assert Template('{{.ID}}{{.Label "x"}}').execute(row) == "1<x>"
    with pytest.raises(TemplateError, match=r"can't evaluate field Foo in type \*formatter.ContainerContext"):
        Template("{{.Foo}}").execute(row)


@pytest.mark.parametrize(
    "text", ["{{", "{{}}", "{{(}}", "{{.a.}}", "{{|}}", "{{1 2}}", "{{else}}", "{{.Id | }}", "{{nil}}"]
)
def test_nonsense_is_a_template_error_or_text(text):
    try:
        Template(text).execute(CONTAINER)
    except TemplateError:
        pass
