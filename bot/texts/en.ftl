# Everything the bot itself says in English. The personas' own words come from the language model.
age-yes = I am 18 or older
age-no = No
age-first = Please confirm first that you are 18 or older.
gallery-person = { $name }, { $age }. { $about }
stories-first = Choose somebody to talk to first.
story-begins = A new story: “{ $title }”.
reset-ask = Start over? { $name } will forget everything you talked about.
reset-yes = Yes, start over
reset-no = No
reset-not = All right, we go on.
reset-done = A clean slate: { $name } remembers nothing. You can take it back within ten minutes.
reset-back = ↩ Bring it back
reset-undone = The talk goes on where it was: { $name } remembers everything again.
reset-nothing = There is nothing to forget yet. Choose somebody to talk to.
unknown-command = I don't know that command. Here is what there is: /help
stale-button = This button no longer works.
model-down = I can't answer right now, something is wrong with the connection. Your message is kept; write to me again in a little while.
model-later = I can't answer for now: something has to be put right on our side first. Your message is kept; write to me again later.
update-put-away = I could not read that message. Please say it in other words.
went-wrong = Something went wrong and there is no answer. Please try once more.
photo-unconfirmed = It seems the photo got lost on the way. If you don't see it above, I'll send it again.
photo-send-again = Send it again
photo-sending-again = Sending it again
photo-queue-full = The wait for photos is about { $wait } just now, and no more fit into the queue. Please ask again a little later.
photo-queue-full-unknown = Photos aren't working just now. Please ask again a little later.
photo-delayed = The photo will be a little late: I'll send it as soon as I can.
photo-still = The photo is still being made: about { $wait }, number { $place } in the queue.
photo-still-delayed = The photo is late: something is not working just now. I'll send it as soon as I can.
photo-guard-away = I can't take photos for a few minutes, sorry. Ask me again a little later?
photo-unfit = Every picture came out more revealing than I may show, sorry. Shall we try another moment?
photo-too-late = The photo didn't make it in time, sorry: too many people were waiting. Shall we try again?
wait-seconds = { $seconds } { $seconds ->
    [one] second
   *[other] seconds
    }
wait-minutes = { $minutes } { $minutes ->
    [one] minute
   *[other] minutes
    }
photo-already-waiting = Your photo is in the queue already, just a moment.
photo-liked = Glad you like it!
photo-promise-taken-back = No photo this time, but I'm here.
photo-not-this-moment = This moment isn't one for a photo. Shall we try another?
photo-switched-off = Photos are switched off for you. /settings turns them on again.
wait-hours = { $hours } { $hours ->
    [one] hour
   *[other] hours
    }
policy-minors = No. Everyone here is an adult, and it stays that way. Let's talk about something else.
policy-real_person = I don't make pictures of real people. Shall I be in the photo myself?
policy-explicit = That goes further than I do in photos. Something with a little more on?
policy-violence = I don't make pictures of harm. If you are not well yourself, please talk to somebody near you, or to a helpline. I am here to talk, too.
policy-answer = Let's change the subject.
frequency-often = often
frequency-normal = normally
frequency-rarely = rarely
frequency-asked = only when I ask
frequency-never = never
why-how = Reply with /why to a photo, or write /why and its number.
why-unknown = There is no such photo.
# Goes to the language model as the person's words when /photo is used.
photo-wish = Send me a photo. { $wish }
hello =
    Hi { $name }! This is Vitte: you talk with a character who remembers you and sends a photo when it fits.
    All characters are fictional adults. Are you 18 or older?
age-thanks = Thank you! Who would you like to talk to? Tap a name and off we go.
age-refused = Then this is not for you yet. Come back when you are 18: send /start.
gallery = Who would you like to talk to? Tap a name and off we go.
help =
    Just write as you would to a person. Photos come by themselves when the moment fits, or when you ask. Send a voice message, a sticker or a picture, edit what you wrote, or ask for another answer: warmer, shorter, about something else.

    /photo — ask for a photo, with a wish if you like: /photo by the window with a cup of coffee
    /persona — talk to somebody else
    /story — change the story or the mood
    /create — write a character of your own
    /gallery — your photos
    /memory — what is remembered about you
    /premium — more photos and memory
    /invite — bring a friend
    /settings — language, photos, quiet hours
    /privacy — your data: see it, save it, delete it
    /reset — start the conversation over
    /terms — the terms
    /paysupport — questions about payments
    /help — this page
stories = Pick a story
atmospheres = Or another mood for this one?
atmosphere-same = It is { $atmosphere } already.
atmosphere-changed = The mood has changed: { $atmosphere }. { $name } picks it up with the next message.
atmosphere-adventurous = adventurous
atmosphere-calm = calm
atmosphere-cosy = cosy
atmosphere-dramatic = dramatic
atmosphere-dreamy = dreamy
atmosphere-festive = festive
atmosphere-glamorous = glamorous
atmosphere-melancholic = melancholic
atmosphere-playful = playful
atmosphere-romantic = romantic
command-photo = ask for a photo
command-persona = talk to somebody else
command-story = change the story or the mood
command-create = write a character of your own
command-gallery = my photos
command-memory = what is remembered about me
command-premium = more photos and memory
command-invite = bring a friend
command-settings = language, photos, quiet hours
command-privacy = my data
command-reset = start over
command-terms = the terms
command-paysupport = questions about payments
command-help = what I can do
command-why = why this photo
command-refund = refund a payment
bot-description =
    Vitte is somebody to talk to, who remembers you and sends a photo when it fits.

    Choose a character or write your own, and just write. All characters are fictional adults; only for people who are 18 or older.
bot-short-description = Somebody to talk to, who remembers you and sends a photo when it fits. 18+
photo-retake = 🔄 Again
photo-another = 📷 Another angle
photo-another-coming = One moment, another one.
photo-wait = The photo will be here in about { $wait }; it is number { $place } in the queue.
photo-how-long = ⏳ How long now?
photo-cancel = Cancel
photo-cancelled = The photo is cancelled.
photo-being-made = It is being made already, just a moment.
photo-any-moment = Any moment now.
photo-disliked = Noted, I'll do better.
photo-disliked-why = Noted. What is wrong with it?
dislike-face = Wrong face
dislike-scene = Wrong moment
dislike-quality = Came out badly
dislike-other = Something else
photo-delete-surely = Delete for good
photo-keep = Keep
photo-deleted = Deleted.
photo-delete-by-hand = It is deleted here. A bot may not take old messages out of a chat: please delete it there yourself.
photo-limit =
    No more photos for today: { $count } per 24 hours. The next one in about { $wait }.
    We can talk without limits, and premium has more photos.
photo-limit-none = This plan has no photos, but we can talk.
album-empty = There are no photos yet. Ask for the first one: /photo
album-end = That's the last one.
album-open = Which one shall I open?
album-older = Older ▶
album-liked = 👍 Liked: { $count }
album-all = All photos
album-page = { $number } of { $count } · { $day }
original = 📎 Original
original-unavailable = The original can't be reached just now. Please try again a little later.
memory-nobody = There is nobody to remember yet. Choose somebody to talk to: /persona
memory-empty = { $name } knows nothing special about you yet. Tell them about yourself!
memory-facts = { $name } remembers { $count } { $count ->
    [one] thing
   *[other] things
    } about you (take out what you like):
memory-how = Add: /memory My name is Anna. Correct the second one: /memory 2: I live in Riga.
memory-too-long = That's too long: one fact has up to { $longest } characters.
memory-refused = That is better not remembered. Please put it another way.
memory-full = No more can be remembered: this plan has room for { $count } facts. Take out what you like.
memory-no-such = There is no such number: there are { $count } facts.
memory-summary = What you talked about before: { $summary }
memory-forget-all = Forget everything
memory-forgotten = Forgotten.
settings = Settings. Nothing comes by itself from { $start } to { $end }.
settings-language = 🌐 Language: { $language }
settings-photos = 📷 Photos: { $frequency }
settings-blur = 🌫 Hide photos until tapped: { $state }
settings-silent = 🔔 Sound with photos: { $state }
settings-first = 💌 May write first: { $state }
settings-time = 🌙 My time is { $clock }
settings-story = 📖 Story and mood
settings-back = ‹ Back
settings-how-often = How often should I send photos?
settings-which-language = Which language shall it be?
settings-what-time = What time is it where you are? So the bot knows your quiet hours, { $start } to { $end }.
settings-saved = Photos: { $frequency }
language-name = English
language-chosen = English it is.
switch-on = yes
switch-off = no
writes-first-ask = May { $name } write to you first now and then, once in some days and never at night?
writes-first-yes = Yes, please
writes-first-no = No, thanks
writes-first-allowed = All right. /settings turns it off at any time.
writes-first-stop = 🔕 Don't write first
writes-first-stopped = All right, I won't write first any more. /settings turns it on again.
privacy =
    What is stored: your Telegram number (your name is not), conversations, the facts of /memory, photos and their descriptions, settings and payments. The language model sees what is said and your first name, and the program that draws sees descriptions of photos.

    How often the language model answered you is counted by the hour, for the limits of the plans.

    You can save all of it as a file, or delete it for good.
privacy-kept = Deleted by itself:
privacy-kept-messages = – messages that she remembers in summary: after { $days ->
        [one] a day
       *[other] { $days } days
    }
privacy-kept-ended_talks = – conversations that have ended: after { $days ->
        [one] a day
       *[other] { $days } days
    }
privacy-kept-prompts = – descriptions of photos: after { $days ->
        [one] a day
       *[other] { $days } days
    }
privacy-kept-originals = – originals of photos: after { $days ->
        [one] a day
       *[other] { $days } days
    }; the photos stay in this chat
privacy-export = Save my data
privacy-file = Everything that is stored about you. The photos themselves as originals: /gallery
privacy-erase = Delete everything
privacy-erase-what = Conversations, memory, photos, your own characters, settings, unused photos and premium will be deleted; the subscription ends. Nothing can be brought back. The messages in this chat stay with you. What was used of today's limits is kept without your number until tomorrow, and payments (charge number, Stars, date) without your number for the accounts; they can't be refunded then.
privacy-erase-surely = Yes, delete everything
privacy-keep = No, keep it
privacy-erased = Everything is deleted. If you want to begin again: /start
privacy-subscription-left = The subscription could not be ended. Please end it in Telegram: Settings → My Stars.
button-premium = ⭐ More photos
button-not-yours = This button is not for you.
premium =
    Free:
    • photos per 24 hours: { $free }
    • facts remembered: { $free_facts }
    • characters of your own: { $free_own }

    Premium ⭐:
    • photos per 24 hours: { $paid }, ahead of the queue and more often unasked
    • facts remembered: { $paid_facts }, and long conversations
    • characters of your own: { $paid_own }

    A photo that failed doesn't count.
premium-title = Vitte Premium
premium-description = More photos and ahead of the queue, a long memory, characters of your own. Renewed every month, cancel at any time.
premium-buy = Premium for a month: { $stars } ⭐
premium-until = You have premium until { $day }. To cancel renewal: Telegram, Settings → My Stars.
premium-given = You have premium.
premium-paid = Thank you! Premium lasts until { $day }. Photos now come ahead of the queue.
premium-renewed = Premium is renewed until { $day }. Thank you for staying!
premium-ended = Premium has ended. We can talk as before, and one tap brings it back.
pack-buy = ➕ { $count } photos: { $stars } ⭐
pack-title = { $count ->
    [one] { $count } photo
   *[other] { $count } photos
    }
pack-description = { $count } extra photos that never expire. Only photos you ask for use them up.
pack-paid = Thank you! Extra photos: { $count }.
pack-left = Extra photos: { $count }.
payment-old-invoice = This invoice is out of date. Please open /premium again.
premium-second = You have premium already. The second subscription is ended, and its { $stars } ⭐ come back to you.
payment-not-as-offered = Your payment has arrived, but it is not for what is sold here. It will be looked at; /paysupport reaches us.
payment-refunded = The payment was refunded: { $stars } ⭐.
subscription-canceled = The subscription won't be renewed. Premium lasts until { $day }.
subscription-active = The subscription is active again. Thank you!
subscription-failed = Telegram could not renew the subscription. Premium lasts until { $day }.
paysupport = A question about a payment? Write it after the command: /paysupport my photos did not come. A person will answer. If something went wrong, your Stars come back.
paysupport-contact = Or write here: { $contact }
paysupport-payment = { $day } · { $product } · { $stars } ⭐{ $refunded ->
    [yes] {" "}(refunded)
   *[no] {""}
    }
    { $charge }
paysupport-question =
    A question about a payment from { $person }. Reply to this message and the person gets your answer.

    { $question }
paysupport-sent = Your question was passed on. A person will answer.
paysupport-enough = Your questions have arrived. A person will answer; please wait until tomorrow with the next one.
paysupport-nobody = Your question could not be passed on. Please try again later.
terms =
    Terms of Vitte

    1. Only for people who are 18 or older. Characters are fictional adults; a language model writes their words, a program draws their photos.
    2. Sexual content involving minors is forbidden, and so are pictures of real people. Access ends for it.
    3. Premium is { $stars } ⭐ a month and renews itself; cancel at any time in Telegram: Settings → My Stars. Photos you bought don't run out.
    4. A photo that failed doesn't count. If what you paid for didn't come, your Stars come back: /paysupport
    5. What is stored and how to delete it: /privacy
invite =
    Bring a friend: once you are both talking, each of you gets { $count } more photos.

    { $link }

    Friends joined: { $came }. Extra photos: { $left }.
own-create = ✨ Write your own
own-delete = 🗑 { $name }
own-name = Let's write a character. What is the name?
own-gender = A woman or a man?
own-gender-woman = 👩 A woman
own-gender-man = 👨 A man
own-back = ‹ Back
own-age = How old? Everyone here is an adult: 21 or older.
own-character = What kind of person is it? Character, work, way of speaking: two or three sentences.
own-looks = What do they look like? Hair, eyes, style: one or two sentences.
own-age-wrong = It must be a number from { $youngest } to { $oldest }.
own-length = It must have { $shortest } to { $longest } characters.
own-refused = That won't do: everyone here is a fictional adult, and it stays decent. Try it another way.
own-later = That doesn't work just now. Please answer once more in a little while.
own-enough = There can be { $count } of your own characters. Delete one in /persona, or have a look at /premium.
own-summary =
    { $name }, { $age }

    { $character }

    { $looks }
own-faces = 👤 Choose a face
own-faces-of = 👤 Another face
own-faces-begun = Drawing four faces. Choose the one that stays.
own-faces-coming = The faces are being drawn already, just a moment.
own-faces-enough = That's enough faces for today: new ones can be drawn tomorrow.
own-faces-failed = Not every face came out. Please try again a little later.
own-face-choose = ✓ This face
own-face-chosen = This is { $name } from now on.
own-finish = 💬 Start talking
own-again = Start over
own-cancel = Cancel
own-cancelled = All right, we won't.
own-deleted = Deleted, with the conversation.
nothing-to-cancel = There is nothing to cancel.
answer-another = 🔄 Another answer
answer-again = 🔄 Again
answer-warmer = 🤗 Warmer
answer-shorter = ✂️ Shorter
answer-other = 💭 Something else
too-fast = I can't keep up with you! Give me a minute.
talk-limit = We have talked so much in the last 24 hours that I need a rest. What you wrote is kept: write to me again in a few hours.
rewrite-limit = I have said that anew three times already. Tell me in your own words what you would rather hear.
voice-too-long = I listen to voice messages of up to { $seconds } seconds. Could you send a shorter one, or write to me?
voice-limit = I have listened to all I can in 24 hours. Please write to me instead.
picture-limit = I have looked at all the pictures I can in 24 hours; this one I can't see any more.
refund-how = Write /refund and the number of the payment.
refund-unknown = There is no such payment.
refund-erased = These { $stars } ⭐ are of somebody who had everything deleted: their number is gone, and without it Telegram refunds nothing.
refund-refused = Telegram refused: { $why }
refund-done = Refunded: { $stars } ⭐.
payment-subscribed-already = You have premium already, there is no need to pay twice.
own-name-wrong = A name is letters, with a space or a hyphen between.
paysupport-answer = The answer to your question about a payment: { $text }
paysupport-answered = The answer is on its way.
paysupport-gone = This person can't be written to any more.
refund-known = This payment was already refunded: { $stars } ⭐.
