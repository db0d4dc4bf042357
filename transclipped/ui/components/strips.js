// Rows of coloured cells; Python writes their HTML.

export default function ({ parentElement, data }) {
  mountOnce(parentElement.querySelector(".strips"), Strips).update(data.rows);
}

class Strips {
  constructor(root) {
    this.root = root;
  }

  update(rows) {
    if (rows !== this.rows) this.root.innerHTML = this.rows = rows;
  }
}
