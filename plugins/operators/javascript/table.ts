// A table whose rows stay the same elements while their call is there, and that is sorted by the button of a column.

import { make, say } from "./dom.js";

export interface Column<Row> {
  title: string;
  /** What it is sorted by. */
  by(row: Row): number | string;
  show(row: Row): string;
  /** In place of plain text. */
  fill?(cell: HTMLElement, row: Row): void;
  className?: string;
}

type Line = { element: HTMLTableRowElement; cells: HTMLElement[] };

export class Table<Row> {
  #lines = new Map<string, Line>();
  #rows: Row[] = [];
  #body: HTMLTableSectionElement;
  #buttons: HTMLButtonElement[] = [];

  constructor(
    element: HTMLTableElement, private readonly columns: Column<Row>[],
    private readonly idOf: (row: Row) => string, private sorted: number, private descending = false,
  ) {
    const head = element.createTHead().insertRow();
    columns.forEach((column, index) => head.append(this.#heading(column, index)));
    this.#body = element.createTBody();
    this.#mark();
  }

  show(rows: Row[]): void {
    this.#rows = rows;
    const there = new Set(rows.map(this.idOf));
    for (const [id, { element }] of this.#lines) {
      if (there.has(id)) continue;
      element.remove();
      this.#lines.delete(id);
    }
    for (const row of rows) this.#fill(row);
    if (!this.#body.contains(document.activeElement)) this.#order();
  }

  #heading(column: Column<Row>, index: number): HTMLElement {
    const button = make("button", "sort", column.title);
    button.type = "button";
    button.addEventListener("click", () => {
      this.descending = this.sorted === index && !this.descending;
      this.sorted = index;
      this.#mark();
      this.#order();
    });
    this.#buttons.push(button);
    const cell = make("th", column.className, button);
    cell.scope = "col";
    return cell;
  }

  #mark(): void {
    this.#buttons.forEach((button, index) => {
      const direction = this.descending ? "descending" : "ascending";
      button.parentElement!.setAttribute("aria-sort", index === this.sorted ? direction : "none");
    });
  }

  #fill(row: Row): void {
    const id = this.idOf(row);
    let line = this.#lines.get(id);
    if (!line) {
      const element = this.#body.insertRow();
      const cells = this.columns.map((column, index) => make(index ? "td" : "th", column.className));
      cells[0]!.setAttribute("scope", "row");
      element.append(...cells);
      this.#lines.set(id, line = { element, cells });
    }
    this.columns.forEach((column, index) => {
      const cell = line.cells[index]!;
      if (column.fill) column.fill(cell, row);
      else say(cell, column.show(row));
    });
  }

  /** Who stands in a row with the keyboard keeps it: rows move when nobody does. */
  #order(): void {
    const { by } = this.columns[this.sorted]!;
    const sign = this.descending ? -1 : 1;
    const ordered = [...this.#rows].sort((one, other) => {
      const [left, right] = [by(one), by(other)];
      return sign * (typeof left === "string" ? left.localeCompare(String(right)) : left - Number(right));
    });
    ordered.forEach((row, index) => {
      const { element } = this.#lines.get(this.idOf(row))!;
      if (this.#body.children[index] !== element) this.#body.insertBefore(element, this.#body.children[index] ?? null);
    });
  }
}
