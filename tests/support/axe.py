"""A page as axe sees it, which knows WCAG's rules."""

from pathlib import Path
from typing import Any, Final

from support.browser import Page

ROOT = Path(__file__).parents[2]
AXE: Final = (ROOT / "plugins/web/javascript/node_modules/axe-core/axe.min.js").read_text()
"""A script that is to be run in the page before."""
VIOLATIONS = """(async () => {
    const still = new CSSStyleSheet();
    still.replaceSync('*, ::before, ::after { transition: none !important; }');
    document.adoptedStyleSheets.push(still);
    document.getAnimations()
        .filter(({ effect }) => Number.isFinite(effect.getComputedTiming().endTime))
        .forEach((animation) => animation.finish());
    const { violations } = await axe.run({ resultTypes: ['violations'] });
    return violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
})()"""
"""Of colours as they are to be: in a transition, also in one that begins meanwhile, each moment has others."""


async def violations(page: Page) -> dict[str, Any]:
    """The rules of axe that are broken, each with where that is."""
    return dict(await page.evaluate(VIOLATIONS))
