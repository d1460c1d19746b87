// The elements of the page, which glottis_web/static/page/index.html has and whose names it shares with these scripts.

export function $<Kind extends Element = HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Element as Kind;
}

type Child = Node | string;

export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag, className = "", ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Those that have been forgotten are let go. */
export function keepLast(list: Element, most: number): void {
  while (list.childElementCount > most) list.firstElementChild?.remove();
}
