"""Who is who: by numbers, addresses and names, and never somebody else."""

import pytest

from autograder.lms import roster
from autograder.lms.roster import Person, RosterUnreadable

MOODLE = """\
Identifier,Full name,ID number,Email address,Status,Grade,Last modified (submission),Feedback
Participant 657737,Jane Doe,u1001,jane.doe@uni.org,Submitted,,"Friday, 27 November 2026, 10:21 PM",
Participant 657768,José Díaz,u1002,jose@uni.org,No submission,,-,
"""
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,a1 (771),Current Score
,,,,,Manual Posting,(read only)
    Points Possible,,,,,100,(read only)
"Doe, Jane",48213,s-1001,jdoe,Monday,,
"Díaz, José",48214,s-1002,jdiaz,Tuesday,,
"Student, Test",48999,,3f2a,Monday,,
"""
GRADESCOPE = "First Name,Last Name,SID,Email,Role\nJane,Doe,0012,jane.doe@uni.org,Student\n"
OWN = "id,first_name,last_name,email\njane,Jane,Doe,jane.doe@uni.org\nyuki,Yuki,,yuki@uni.org\n"
JANE = Person("Jane Doe", "", "jane.doe@uni.org")


@pytest.fixture
def of(tmp_path):
    def read(text, column=""):
        path = tmp_path / "roster.csv"
        path.write_bytes(text.encode("utf-8-sig"))
        return roster.read(path, column)

    return read


@pytest.mark.parametrize(("text", "ids"), [
    (MOODLE, ["u1001", "u1002"]), (CANVAS, ["jdoe", "jdiaz", "3f2a"]), (GRADESCOPE, ["0012"]),
    (OWN, ["jane", "yuki"]),
])  # fmt: skip
def test_each_system_names_a_student_in_its_own_way(of, text, ids):
    assert [student.id for student in of(text).students] == ids


def test_another_column_may_name_them_and_an_address_gives_a_short_name(of):
    assert [s.id for s in of(MOODLE, "Email address").students] == ["jane_doe", "jose"]
    assert [s.id for s in of(CANVAS, "SIS User ID").students] == ["s-1001", "s-1002"]


@pytest.mark.parametrize(("text", "person", "found"), [
    (MOODLE, Person("J. D.", "657737"), "u1001"), (MOODLE, Person("DOE Jane"), "u1001"),
    (MOODLE, Person("Díaz José", "999999"), "u1002"), (CANVAS, Person("doejane", "48213"), "jdoe"),
    (CANVAS, Person("Jane Doe"), "jdoe"), (GRADESCOPE, Person("", "0012"), "0012"),
    (OWN, Person("", "", "Yuki@Uni.org"), "yuki"),
])  # fmt: skip
def test_somebody_is_found_by_number_address_or_name(of, text, person, found):
    assert of(text).find(person).id == found


def test_nobody_is_found_for_somebody_else_or_for_two(of):
    assert of(MOODLE).find(Person("Jane Roe", "1")) is None
    twins = OWN + "jane2,Jane,Doe,jane2@uni.org\n"
    assert of(twins).find(Person("Jane Doe")) is None
    assert of(twins).find(JANE).id == "jane"


def test_when_somebody_handed_in_is_known_from_moodle(of):
    assert of(MOODLE).find(JANE).handed_in == "Friday, 27 November 2026, 10:21 PM"


@pytest.mark.parametrize(("text", "column", "said"), [
    ("", "", "no column that names the students"), ("a,b\n1,2\n", "", "there are a, b"),
    (OWN, "matriculation", "no column matriculation; there are id, first_name"),
])  # fmt: skip
def test_a_file_without_that_column_is_a_sentence(of, text, column, said):
    with pytest.raises(RosterUnreadable) as error:
        of(text, column)
    assert said in str(error.value) and "--id" in str(error.value)


def test_a_file_that_is_not_there_or_no_csv_is_a_sentence(tmp_path):
    with pytest.raises(RosterUnreadable, match="No such file"):
        roster.read(tmp_path / "gone.csv")
    (tmp_path / "grades.xlsx").write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(RosterUnreadable, match="not a CSV file in UTF-8"):
        roster.read(tmp_path / "grades.xlsx")


@pytest.mark.parametrize(("text", "name"), [
    ("José Díaz", "Jose_Diaz"), ("jane.doe@uni.org", "jane_doe"), ("  a/b ", "a_b"), ("", ""),
])  # fmt: skip
def test_a_slug_is_the_name_of_a_folder(text, name):
    assert roster.slug(text) == name
