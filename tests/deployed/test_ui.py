"""What an operator sees of a scheduled run in Prefect's own pages, in a real headless browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from tests.deployed.prefect_server import PrefectServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("prefect")]

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1400,1000",
)  # fmt: skip


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    driver = shutil.which("chromedriver")
    assert driver, "install chromium and chromedriver for these tests"
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    yield chrome
    chrome.quit()


def shows(browser: webdriver.Chrome, *texts: str) -> str:
    """Wait until the page shows all texts, in whatever case; returns what it shows."""

    def text_of(chrome: webdriver.Chrome) -> str:
        return str(chrome.execute_script("return document.body.innerText"))

    WebDriverWait(browser, 60).until(lambda chrome: all(text.lower() in text_of(chrome).lower() for text in texts))
    return text_of(browser)


def test_the_run_and_its_summary_show(browser: webdriver.Chrome, project: PrefectServer, scheduled_run: dict[str, Any]) -> None:
    browser.get(f"{project.url}/runs/flow-run/{scheduled_run['id']}")
    shows(browser, scheduled_run["name"], "sync-contacts")
    shows(browser, scheduled_run["state"]["name"])
    [summary] = project.api("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [scheduled_run["id"]]}}})
    browser.get(f"{project.url}/artifacts/artifact/{summary['id']}")
    page = shows(browser, "syncline-contacts-summary", "records read")
    assert "people.example" not in page
    browser.get(f"{project.url}/artifacts")
    shows(browser, "syncline-contacts-summary")


def test_the_deployments_show_their_schedules(browser: webdriver.Chrome, project: PrefectServer) -> None:
    browser.get(f"{project.url}/deployments")
    shows(browser, "contacts-sweep", "contacts-retries", "02:00 AM")
