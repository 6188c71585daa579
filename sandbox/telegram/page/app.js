// The chat page of the local Telegram: what a person sees and does. It only uses the page API
// (docs/telegram-stand-in.md), so a test can do everything that this page does.

const $ = (id) => document.getElementById(id);
const ACTIONS = { typing: "typing…", upload_photo: "sending a photo…", upload_document: "sending a file…" };
const OTHER = { sticker: "Sticker", voice: "Voice message, 0:03", document: "notes.pdf", location: "Location", photo: "Photo" };
const ACTION_SECONDS = 5;
const DRAFT_SECONDS = 30;

let people = [];
let bot = null;
let me = null; // the person who is played
let chat = null; // the open chat
const unread = new Map(); // `${person}:${chat}` -> number
let actionTimer = 0;
let draftTimer = 0;

async function api(method, path, body) {
  const response = await fetch(`/api${path}`, {
    method,
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body ? JSON.stringify(body) : undefined,
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || response.statusText);
  return answer;
}

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== null));
  return node;
}

function avatar(name, id) {
  const node = element("div", { className: "avatar", textContent: [...name][0] || "?" });
  node.dataset.tint = Math.abs(id) % 4;
  return node;
}

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const titleOf = (it) => (it.type === "private" ? bot.first_name : it.title);
const idOf = (it) => (it.type === "private" ? bot.id : it.id);

// -- people and chats ------------------------------------------------------------------------------------

async function start() {
  const state = await api("GET", "/state");
  ({ people, bot } = state);
  showParts(state.parts);
  listen();
  const wanted = Number(new URLSearchParams(location.hash.slice(1)).get("person"));
  await become(people.find((person) => person.id === wanted) || people[0]);
}

function showParts(parts) {
  const replaced = parts.filter((part) => part.stand_in).map((part) => part.name);
  const real = parts.filter((part) => !part.stand_in).map((part) => `${part.name} (${part.what})`);
  $("parts").textContent = replaced.length
    ? `Stand-ins: ${replaced.join(", ")}. Real: ${real.join(", ") || "none"}.`
    : `Stand-in: Telegram. Real: ${real.join(", ")}.`;
  if (!parts.length) $("parts").hidden = true;
}

function listen() {
  const events = new EventSource("/api/events");
  for (const name of ["message", "edited", "deleted", "action", "draft", "answer"]) {
    events.addEventListener(name, (event) => {
      const { person: id, data } = JSON.parse(event.data);
      const person = people.find((each) => each.id === id);
      if (person) heard(person, name, data);
    });
  }
  // After a break everything is loaded anew: the stream does not repeat what was missed.
  events.onopen = () => me && chat && openChat(chat);
}

function heard(person, name, data) {
  const chatId = data.chat ? data.chat.id : data.chat_id;
  const open = me && person.id === me.id && chat && chat.id === chatId;
  if (name === "answer") {
    if (person.id === me.id && data.text) toast(data.text);
    return;
  }
  if (name === "message") {
    if (open) addMessage(data);
    else if (data.from.id !== person.id) unread.set(`${person.id}:${chatId}`, (unread.get(`${person.id}:${chatId}`) || 0) + 1);
    if (open && data.from.is_bot) showAction(null), showDraft(null);
    refreshLists();
  }
  if (!open) return;
  if (name === "edited") replaceMessage(data);
  if (name === "deleted") document.querySelector(`[data-message="${data.message_id}"]`)?.remove();
  if (name === "action") showAction(data.action);
  if (name === "draft") showDraft(data.text);
  if (name === "reactions") showReactions(data);
}

async function become(person) {
  me = person;
  chat = null;
  $("dialogue").hidden = true;
  const start = startParameter();
  location.hash = `person=${person.id}${start && `&start=${start}`}`;
  await refreshLists();
  const chats = await api("GET", `/people/${me.id}/chats`);
  const first = chats.find((item) => item.chat.type === "private");
  if (first && window.innerWidth > 820) await openChat(first.chat);
}

async function refreshLists() {
  $("people").replaceChildren(
    ...people.map((person) => {
      const count = [...unread].filter(([key]) => key.startsWith(`${person.id}:`)).reduce((sum, [, n]) => sum + n, 0);
      const button = element("button", { title: person.first_name, onclick: () => become(person) }, avatar(person.first_name, person.id));
      button.setAttribute("aria-label", person.first_name);
      button.setAttribute("aria-current", String(person.id === me.id));
      if (count) button.append(element("span", { className: "badge", textContent: count }));
      return button;
    }),
  );
  $("me").replaceChildren(me.first_name, element("small", { textContent: `You write as ${me.first_name} · ${me.language_code}` }));
  const owner = me.id;
  const chats = await api("GET", `/people/${owner}/chats`);
  if (owner !== me.id) return;
  $("chats").replaceChildren(...chats.map(({ chat: item, last_message: last }) => chatRow(item, last)));
}

function chatRow(item, last) {
  const count = unread.get(`${me.id}:${item.id}`);
  const row = element(
    "li",
    { tabIndex: 0, onclick: () => openChat(item), onkeydown: (event) => event.key === "Enter" && openChat(item) },
    avatar(titleOf(item), idOf(item)),
    element("div", { className: "preview" }, element("b", { textContent: titleOf(item) }), element("small", { textContent: last ? preview(last) : item.type === "private" ? "Write /start" : "No messages yet" })),
    last ? element("time", { textContent: clock(last.date) }) : null,
    count ? element("span", { className: "badge", textContent: count }) : null,
  );
  row.setAttribute("aria-current", String(Boolean(chat && chat.id === item.id)));
  return row;
}

function preview(message) {
  if (message.text) return message.text;
  if (message.photo) return message.caption || "Photo";
  if (message.document?.file_name && message.from.is_bot) return message.document.file_name;
  if (message.invoice) return message.invoice.title;
  if (message.successful_payment) return `Paid: ${message.successful_payment.total_amount} ⭐`;
  if (message.refunded_payment) return `Refunded: ${message.refunded_payment.total_amount} ⭐`;
  return OTHER[Object.keys(OTHER).find((kind) => kind in message)] || "";
}

// -- one chat --------------------------------------------------------------------------------------------

async function openChat(item) {
  chat = item;
  unread.delete(`${me.id}:${item.id}`);
  $("dialogue").hidden = false;
  $("chat-title").textContent = titleOf(item);
  $("chat-avatar").replaceWith(Object.assign(avatar(titleOf(item), idOf(item)), { id: "chat-avatar" }));
  showAction(null);
  const messages = await api("GET", `/people/${me.id}/chats/${item.id}/messages`);
  if (chat !== item) return;
  $("messages").replaceChildren(...messages.map(bubble));
  if (!messages.length && item.type === "private") {
    const { text: description } = await api("GET", `/people/${me.id}/description`);
    if (description) $("messages").append(element("div", { className: "description", textContent: description }));
    const begin = element("button", { textContent: "START", onclick: () => send(`/start ${startParameter()}`.trim()) });
    $("messages").append(element("div", { className: "keyboard", id: "start" }, element("div", {}, begin)));
  }
  scrollDown();
  refreshLists();
  if (window.innerWidth > 820) $("text").focus();
}

function addMessage(message) {
  $("start")?.remove();
  document.querySelector(".description")?.remove();
  if (document.querySelector(`[data-message="${message.message_id}"]`)) return;
  const list = $("messages");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 160;
  list.append(bubble(message));
  if (atEnd || message.from.id === me.id) scrollDown();
}

function replaceMessage(message) {
  document.querySelector(`[data-message="${message.message_id}"]`)?.replaceWith(bubble(message));
}

// `#start=persona_alisa` plays the link t.me/<bot>?start=persona_alisa.
function startParameter() {
  return new URLSearchParams(location.hash.slice(1)).get("start") || "";
}

// What the bot writes just now; it goes with the next message, or after half a minute.
function showDraft(text) {
  clearTimeout(draftTimer);
  let node = $("draft");
  if (text === null) return node?.remove();
  if (!node) node = element("div", { className: "message", id: "draft" }, element("div", { className: "bubble" }));
  node.firstChild.textContent = text || "…";
  $("messages").append(node);
  scrollDown();
  draftTimer = setTimeout(() => showDraft(null), DRAFT_SECONDS * 1000);
}

function scrollDown() {
  $("messages").scrollTop = $("messages").scrollHeight;
}

function bubble(message) {
  const mine = message.from.id === me.id && !message.successful_payment && !message.refunded_payment;
  const inside = element("div", { className: message.photo ? "bubble photo" : "bubble" });
  if (!mine && message.chat.type !== "private") inside.append(element("span", { className: "from", textContent: message.from.first_name }));
  if (message.reply_to_message) inside.append(quote(message.reply_to_message));
  if (message.photo) inside.append(...photo(message));
  else if (message.text) inside.append(...marked(message.text, message.entities));
  else if (message.document && message.from.is_bot) inside.append(...file(message));
  else if (message.invoice) inside.append(...invoice(message));
  else inside.append(element("span", { className: "other", textContent: preview(message) }));
  inside.append(element("span", { className: "meta", textContent: `${message.edit_date ? "edited " : ""}${clock(message.date)}` }));
  const node = element("div", { className: mine ? "message mine" : "message" }, inside, keyboard(message));
  node.dataset.message = message.message_id;
  if (mine && message.text) node.ondblclick = () => edit(message);
  return node;
}

const TAGS = { bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "code", text_link: "a", blockquote: "q" };

// Pieces of a text between the ends of its entities, each inside the elements that cover it.
function marked(text, entities = []) {
  const known = entities.filter(({ type }) => TAGS[type]);
  const ends = [...new Set([0, text.length, ...known.flatMap(({ offset, length }) => [offset, offset + length])])].sort((a, b) => a - b);
  return ends.slice(1).map((end, index) => {
    const covers = known.filter(({ offset, length }) => offset <= ends[index] && offset + length >= end);
    return covers.reduceRight((inside, { type, url }) => {
      const node = element(TAGS[type], url ? { href: url, target: "_blank", rel: "noopener" } : {});
      node.append(inside);
      return node;
    }, text.slice(ends[index], end));
  });
}

function showReactions({ message_id: id, emojis }) {
  const inside = document.querySelector(`[data-message="${id}"] .bubble`);
  inside?.querySelector(".reactions")?.remove();
  if (emojis.length) inside?.append(element("span", { className: "reactions", textContent: emojis.join(" ") }));
}

function quote(reply) {
  return element("span", {
    className: "reply",
    textContent: preview(reply),
    onclick: () => document.querySelector(`[data-message="${reply.message_id}"]`)?.scrollIntoView({ block: "center", behavior: "smooth" }),
  });
}

function file(message) {
  const link = element("a", { href: `/api/files/${message.document.file_id}`, textContent: `📄 ${message.document.file_name}`, download: message.document.file_name });
  return message.caption ? [link, element("span", { className: "caption", textContent: message.caption })] : [link];
}

function invoice(message) {
  const { title, description, total_amount: stars } = message.invoice;
  const pay = element("button", { textContent: `Pay ${stars} ⭐`, onclick: () => confirmPayment(title, stars, { message_id: message.message_id }) });
  return [element("b", { textContent: title }), element("span", { className: "other", textContent: `\n${description}` }), element("div", { className: "keyboard" }, element("div", {}, pay))];
}

function confirmPayment(title, stars, invoice) {
  const dialog = $("payment");
  dialog.querySelector("p").textContent = stars ? `${title}: ${stars} ⭐` : title;
  dialog.querySelector("button.pay").onclick = async () => {
    dialog.close();
    await attempt(() => api("POST", `/people/${me.id}/pay`, invoice));
  };
  dialog.showModal();
}

function photo(message) {
  const largest = message.photo.at(-1);
  const image = element("img", { src: `/api/files/${largest.file_id}`, alt: message.caption || "Photo", width: largest.width, height: largest.height, loading: "lazy" });
  image.onload = () => $("messages").scrollHeight - $("messages").scrollTop - $("messages").clientHeight < 600 && scrollDown();
  if (message.has_media_spoiler) image.classList.add("spoiler");
  image.onclick = () => {
    if (image.classList.contains("spoiler")) return image.classList.remove("spoiler");
    $("viewer").querySelector("img").src = image.src;
    $("viewer").querySelector("p").textContent = message.caption || "";
    $("viewer").showModal();
  };
  return message.caption ? [image, element("span", { className: "caption" }, ...marked(message.caption, message.caption_entities))] : [image];
}

function keyboard(message) {
  const rows = message.reply_markup?.inline_keyboard;
  if (!rows) return null;
  return element("div", { className: "keyboard" }, ...rows.map((row) => element("div", {}, ...row.map((button) => inlineButton(message, button)))));
}

function inlineButton(message, button) {
  const node = element("button", { textContent: button.text });
  node.onclick = async () => {
    if (button.url?.startsWith("https://t.me/$")) return confirmPayment(button.text, 0, { link: button.url });
    if (button.url) return window.open(button.url, "_blank", "noopener");
    node.disabled = true;
    await attempt(() => api("POST", `/people/${me.id}/chats/${chat.id}/messages/${message.message_id}/press`, { data: button.callback_data }));
    setTimeout(() => (node.disabled = false), 600);
  };
  return node;
}

function showAction(action) {
  clearTimeout(actionTimer);
  const state = $("chat-state");
  state.className = action ? "busy" : "";
  state.textContent = action ? ACTIONS[action] || action : chat?.type === "private" ? "bot" : "group with the bot";
  if (action) actionTimer = setTimeout(() => showAction(null), ACTION_SECONDS * 1000);
}

// -- writing ---------------------------------------------------------------------------------------------

async function send(text) {
  await attempt(() => api("POST", `/people/${me.id}/chats/${chat.id}/messages`, { text }));
}

async function edit(message) {
  const text = prompt("Edit the message", message.text);
  if (text && text !== message.text) await attempt(() => api("PUT", `/people/${me.id}/chats/${chat.id}/messages/${message.message_id}`, { text }));
}

async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    toast(error.message);
  }
}

function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => ($("toast").hidden = true), 3500);
}

function popup(id, buttons) {
  const hidden = $(id).hidden;
  closePopups();
  $(id).replaceChildren(...buttons);
  $(id).hidden = !hidden;
}

function closePopups() {
  for (const id of ["menu", "commands", "attach"]) $(id).hidden = true;
}

function popupButton(label, action, code = "") {
  return element("button", { type: "button", onclick: () => (closePopups(), action()) }, ...(code ? [element("code", { textContent: code }), label] : [label]));
}

$("composer").onsubmit = (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  $("text").style.height = "";
  send(text);
};
$("text").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("composer").requestSubmit();
  }
};
$("text").oninput = () => {
  $("text").style.height = "";
  $("text").style.height = `${$("text").scrollHeight}px`;
};
$("commands-button").onclick = async () => {
  const commands = await api("GET", `/people/${me.id}/commands`);
  popup("commands", commands.map((item) => popupButton(item.description, () => send(`/${item.command}`), `/${item.command}`)));
};
$("attach-button").onclick = () =>
  popup("attach", Object.keys(OTHER).map((kind) => popupButton(OTHER[kind], () => attempt(() => api("POST", `/people/${me.id}/chats/${chat.id}/messages`, { kind })))));
$("menu-button").onclick = async () => {
  const state = await api("GET", "/state");
  const blocked = state.people.find((person) => person.id === me.id).blocked;
  const action = blocked ? "unblock" : "block";
  popup("menu", [popupButton(blocked ? "Unblock the bot" : "Block the bot", () => attempt(() => api("POST", `/people/${me.id}/${action}`, {})))]);
};
$("back").onclick = () => {
  chat = null;
  $("dialogue").hidden = true;
};
$("payment").querySelector("button.cancel").onclick = () => $("payment").close();
$("viewer").onclick = () => $("viewer").close();
document.addEventListener("click", (event) => {
  if (!event.target.closest(".popup, #menu-button, #commands-button, #attach-button")) closePopups();
});

start();
