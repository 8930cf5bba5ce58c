import re
import tomllib

from routines.screening import Answer, problem_with, questions
from tests.docs.screening import TARGET, page


def test_the_page_of_questions_is_the_table_of_questions() -> None:
    assert TARGET.read_text(encoding="utf-8") == page(), "write it anew: python -m tests.docs.screening"


def test_the_example_file_on_the_page_can_be_meant() -> None:
    found = re.search(r"```toml\n(.*?)```", page(), re.DOTALL)
    assert found is not None
    for name, given in tomllib.loads(found.group(1)).items():
        table = {"yes": given} if isinstance(given, bool) else {**given, "places": tuple(given.get("places", ()))}
        assert problem_with(questions()[name], Answer.model_validate(table)) == ""
