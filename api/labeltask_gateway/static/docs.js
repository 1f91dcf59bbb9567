// Draws openapi.json: one block an operation, with a form that sends it. Texts are set as text, never as HTML.
"use strict";

function make(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function rows(entries) {
  const table = make("table");
  for (const cells of entries) {
    const row = table.appendChild(make("tr"));
    for (const cell of cells) row.appendChild(cell instanceof Node ? make("td") : make("td", cell)).append(...(cell instanceof Node ? [cell] : []));
  }
  return table;
}

function form(method, path, operation) {
  const holder = make("div");
  const inputs = new Map();
  const parameters = operation.parameters || [];
  if (parameters.length) {
    holder.append(make("h3", "Parameters"), rows(parameters.map((parameter) => {
      const input = make("input");
      input.ariaLabel = parameter.name;
      inputs.set(parameter, input);
      return [parameter.name + (parameter.required ? " *" : ""), parameter.in, parameter.description || "", input];
    })));
  }
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  let body = null;
  if (content) {
    holder.append(make("h3", "Body"));
    body = make("textarea");
    const examples = Object.values(content.examples || {});
    if (examples.length) body.value = JSON.stringify(examples[0].value, null, 2);
    for (const example of examples) {
      const button = make("button", example.summary);
      button.type = "button";
      button.onclick = () => { body.value = JSON.stringify(example.value, null, 2); };
      holder.append(button, " ");
    }
    holder.append(body);
  }
  const send = make("button", "Send");
  const shown = make("pre");
  send.onclick = async () => {
    let url = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const [parameter, input] of inputs) {
      if (parameter.in === "path") url = url.replace("{" + parameter.name + "}", encodeURIComponent(input.value));
      else if (input.value && parameter.in === "query") query.set(parameter.name, input.value);
      else if (input.value && parameter.in === "header") headers[parameter.name] = input.value;
    }
    const token = document.getElementById("token").value;
    if (token) headers.Authorization = "Bearer " + token;
    if (body) headers["Content-Type"] = "application/json";
    const target = url.replace(/^\//, "") + (query.size ? "?" + query : "");
    try {
      const answer = await fetch(target, { method: method.toUpperCase(), headers, body: body ? body.value : undefined });
      const text = await answer.text();
      let pretty = text;
      try { pretty = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
      shown.textContent = answer.status + " " + answer.statusText + "\n" + pretty;
    } catch (error) {
      shown.textContent = String(error);
    }
  };
  holder.append(make("p"), send, shown);
  return holder;
}

async function draw() {
  const main = document.getElementById("operations");
  const openapi = await (await fetch("openapi.json")).json();
  main.replaceChildren();
  for (const [path, item] of Object.entries(openapi.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const block = main.appendChild(make("details"));
      const head = block.appendChild(make("summary"));
      head.append(make("span", method.toUpperCase(), "method " + method), make("span", path, "path"));
      head.append(" — " + (operation.description || operation.summary || ""));
      block.append(form(method, path, operation), make("h3", "Answers"));
      block.append(rows(Object.entries(operation.responses).map(([code, answer]) => [code, answer.description])));
    }
  }
}

draw().catch((error) => { document.getElementById("operations").textContent = String(error); });
