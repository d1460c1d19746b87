"""An agent by file and function: what is said of each that is none, and loading anew."""

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from glottis import Call, LocalError, TextMessage
from glottis.plugins import AgentFile, FunctionAgent, load_plugins
from glottis.testing.fake_call import fake_call
from support.imports import imports_of
from trio.testing import wait_all_tasks_blocked


@pytest.fixture(name="folder")
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    with imports_of(tmp_path):
        yield tmp_path


def write_agent(path: Path, text: str, *, before: str = "") -> None:
    path.write_text(f"{before}\nasync def agent(call):\n    await call.send_text({text})\n")


async def what_it_says(agent: FunctionAgent) -> list[str | bytes]:
    async with fake_call(agent.converse) as call:
        await call.ended.wait()
        return [text for text, _ in call.sent_messages]


async def test_the_function_of_a_file_is_an_agent_of_a_plugin_whose_code_the_file_is(folder: Path) -> None:
    (folder / "words.py").write_text("GREETING = 'hello'\n")
    write_agent(folder / "my-agent.py", "GREETING", before="from words import GREETING")
    agent = AgentFile("my-agent.py:agent")
    found = load_plugins(extra=[agent], installed=()).agents.find("my-agent.py:agent")
    assert str(found.plugin) == "plugin my-agent.py:agent (given directly)"
    assert found.plugin.owns("my_agent")
    assert agent.campaign_id == "agent"
    assert await what_it_says(agent) == ["hello"]


async def test_the_function_of_a_module_is_an_agent(folder: Path) -> None:
    (folder / "office").mkdir()
    write_agent(folder / "office" / "desk.py", "'hello'")
    assert await what_it_says(AgentFile("office.desk:agent")) == ["hello"]


async def test_a_file_may_be_called_as_what_python_has_already(folder: Path) -> None:
    write_agent(folder / "json.py", "'hello'")
    assert await what_it_says(AgentFile("json.py:agent")) == ["hello"]
    import json

    assert json.loads("1") == 1


@pytest.mark.parametrize(
    ("code", "reference", "complaint"),
    [
        ("", "none.py:agent", "none.py: there is no such file"),
        (
            "",
            "none:agent",
            "none: there is no such module; expected a module that can be imported from here, or a file",
        ),
        ("", "my.none:agent", "my.none: there is no such module; expected a module"),
        ("import nothing_of_this_name", "my:agent", "my.py, line 1 raised ModuleNotFoundError: No module named"),
        ("", "my.py", "'my.py': expected a file or module, and the function in it, such as my.py:agent"),
        ("", "my.py:", "'my.py:': expected a file or module, and the function in it, such as my.py:agent"),
        ("", ":agent", "':agent': expected a file or module, and the function in it, such as my.py:agent"),
        ("", "my.py:agent", "my.py:agent: nothing there is called 'agent'; async functions there: none"),
        (
            "async def parrot(call): ...\nasync def mimic(call): ...",
            "my.py:agent",
            "my.py:agent: nothing there is called 'agent'; async functions there: parrot, mimic",
        ),
        (
            "async def parrot(call): ...",
            "my.py:parot",
            "my.py:parot: nothing there is called 'parot'; did you mean parrot?",
        ),
        (
            "def agent(call): ...",
            "my.py:agent",
            "my.py:agent: expected an async function of the call, such as: async def agent(call); it is not async",
        ),
        (
            "async def agent(): ...",
            "my.py:agent",
            "my.py:agent: expected an async function of the call, such as: async def agent(call); "
            "its parameters are ()",
        ),
        (
            "async def agent(call, config): ...",
            "my.py:agent",
            "my.py:agent: expected an async function of the call, such as: async def agent(call); "
            "its parameters are (call, config)",
        ),
        (
            "class agent: ...",
            "my.py:agent",
            "my.py:agent: expected an async function of the call, such as: async def agent(call); it is a class",
        ),
        (
            "agent = 7",
            "my.py:agent",
            "my.py:agent: expected an async function of the call, such as: async def agent(call); "
            "it is a value of the type int",
        ),
        ("\nimport nothing_of_this_name", "my.py:agent", "my.py, line 2 raised ModuleNotFoundError: No module named"),
        ("\n\nasync def agent(call:", "my.py:agent", "my.py, line 3 raised SyntaxError: '(' was never closed"),
        ("raise SystemExit(1)", "my.py:agent", "my.py, line 1 raised SystemExit: 1"),
        ("x = 1 / 0", "my:agent", "my.py, line 1 raised ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_agent_is_told_by_file_line_or_attribute(
    code: str, reference: str, complaint: str, folder: Path
) -> None:
    (folder / "my.py").write_text(code)
    with pytest.raises(LocalError) as caught:
        AgentFile(reference)
    assert str(caught.value).startswith(complaint)


async def test_objects_with_an_async_call_are_agents_too() -> None:
    class Parrot:
        async def __call__(self, call: Call) -> None:
            await call.send_text("polly")

    assert await what_it_says(FunctionAgent(Parrot(), "parrot", __name__)) == ["polly"]


@pytest.mark.parametrize("reference", ["my.py:agent", "my:agent"])
async def test_a_call_that_has_begun_keeps_its_agent_and_the_next_gets_the_new_one(
    reference: str, folder: Path
) -> None:
    path = folder / "my.py"
    path.write_text("async def agent(call):\n    async for m in call.messages: await call.send_text('old')\n")
    agent = AgentFile(reference)
    async with fake_call(agent.converse) as call:
        call.caller_writes(TextMessage("hello"))
        await wait_all_tasks_blocked()
        write_agent(path, "'the new one'")
        agent.reload()
        call.caller_writes(TextMessage("hello"))
        await wait_all_tasks_blocked()
        assert call.sent_messages == [("old", None)] * 2
    assert await what_it_says(agent) == ["the new one"]


async def test_what_lies_beside_the_file_is_loaded_anew_too(folder: Path) -> None:
    (folder / "words.py").write_text("GREETING = 'hello'\n")
    write_agent(folder / "my.py", "words.GREETING", before="import words")
    agent = AgentFile("my.py:agent")
    before = agent.file_times()
    (folder / "words.py").write_text("GREETING = 'good morning'\n")
    assert agent.file_times() != before
    agent.reload()
    assert await what_it_says(agent) == ["good morning"]


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("import words\nwords.nothing", "my.py, line 2 raised AttributeError: module 'words' has no attribute"),
        ("def agent(call): ...", "my.py:agent: expected an async function"),
        ("", "my.py:agent: nothing there is called 'agent'"),
    ],
)
async def test_a_broken_file_changes_nothing(code: str, complaint: str, folder: Path) -> None:
    (folder / "words.py").write_text("GREETING = 'hello'\n")
    write_agent(folder / "my.py", "sys.modules['words'].GREETING", before="import sys, words")
    agent = AgentFile("my.py:agent")
    (folder / "words.py").write_text("GREETING = 'good morning'\n")
    (folder / "my.py").write_text(code)
    with pytest.raises(LocalError, match=complaint):
        agent.reload()
    assert await what_it_says(agent) == ["hello"]


@pytest.mark.parametrize("words", ["words.py", "words/__init__.py"])
async def test_agents_of_two_folders_import_what_lies_beside_each(words: str, folder: Path) -> None:
    agents = []
    for name in ("sales", "support"):
        (path := folder / name / words).parent.mkdir(parents=True)
        path.write_text(f"class Word: ...\nGREETING = 'hello from {name}'\n")
        write_agent(folder / name / "agent.py", "words.GREETING", before="import words")
        agents.append(AgentFile(f"{name}/agent.py:agent"))
    assert [await what_it_says(agent) for agent in agents] == [["hello from sales"], ["hello from support"]]
    (folder / "sales" / words).write_text("GREETING = 'good day from sales'\n")
    (folder / "support" / "agent.py").write_text("import words\noops\n")
    agents[0].reload()
    with pytest.raises(LocalError, match="name 'oops' is not defined"):
        agents[1].reload()
    assert [await what_it_says(agent) for agent in agents] == [["good day from sales"], ["hello from support"]]
    assert sys.modules["words"].GREETING == "good day from sales"


async def test_what_another_folder_has_stays_where_it_is_not_imported(folder: Path) -> None:
    for name, before in (("sales", "import words"), ("support", "")):
        (folder / name).mkdir()
        (folder / name / "words.py").write_text("class Word: ...\n")
        write_agent(folder / name / f"{name}.py", "'hello'", before=before)
        AgentFile(f"{name}/{name}.py:agent")
    assert pickle.loads(pickle.dumps(sys.modules["sales"].words.Word())) is not None
