# Everything the bot itself says in English. The personas' own words come from the language model.
hello =
    Hi { $name }! This is Vitte: you talk with a character, who sends you a photo now and then.
    All characters are fictional adults. Are you 18 or older?
age-yes = I am 18 or older
age-no = No
age-thanks = Thank you! Who would you like to talk to?
age-refused = Then this is not for you yet. Come back when you are 18: send /start.
age-first = Please confirm first that you are 18 or older.
gallery = Who would you like to talk to?
gallery-person = { $name }, { $age }. { $about }
stories = Which story shall it be?
stories-first = Choose somebody to talk to first.
story-begins = A new story: “{ $title }”.
reset-done = A clean page: { $name } remembers nothing.
reset-nothing = There is nothing to forget yet. Choose somebody to talk to.
help =
    Just write as you would to a person. Photos come by themselves when the moment fits, or when you ask.

    /photo — ask for a photo, with a wish if you like: /photo by the window with a cup of coffee
    /persona — talk to somebody else
    /story — change the story
    /settings — how often photos come
    /reset — start the conversation over
    /help — this page
unknown-command = I don't know that command. Here is what there is: /help
only-text = For now I understand text only. Tell me in words?
stale-button = This button no longer works.
model-down = I can't answer right now, something is wrong with the connection. Your message is kept; write to me again in a little while.
went-wrong = Something went wrong and there is no answer. Please try once more.
photo-unconfirmed = It seems the photo got lost on the way. If you don't see it above, I'll send it again.
photo-send-again = Send it again
photo-sending-again = Sending it again
photo-queue-full = The wait for photos is about { $wait } just now, and no more fit into the queue. Please ask again a little later.
photo-queue-full-unknown = Photos aren't working just now. Please ask again a little later.
photo-wait = The photo will be here in about { $wait }.
photo-delayed = The photo will be a little late: I'll send it as soon as I can.
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
command-photo = ask for a photo
command-persona = talk to somebody else
command-story = change the story
command-reset = start over
command-help = what I can do
photo-another = 🔄 Another
photo-another-coming = One moment, another one.
photo-liked = Glad you like it!
photo-disliked = Noted, I'll do better.
photo-promise-taken-back = No photo this time, but I'm here.
photo-not-this-moment = This moment isn't one for a photo. Shall we try another?
photo-switched-off = Photos are switched off for you. /settings turns them on again.
photo-limit = No more photos for now: there can be { $count } in 24 hours. The next one in about { $wait }.
photo-limit-none = There are no photos for now, sorry.
wait-hours = { $hours } { $hours ->
    [one] hour
   *[other] hours
    }
policy-minors = No. Everyone here is an adult, and it stays that way. Let's talk about something else.
policy-real_person = I don't make pictures of real people. Shall I be in the photo myself?
policy-explicit = That goes further than I do in photos. Something with a little more on?
policy-answer = Let's change the subject.
settings = How often shall photos come?
settings-saved = Photos: { $frequency }
frequency-often = often
frequency-normal = normally
frequency-rarely = rarely
frequency-asked = only when I ask
frequency-never = never
command-settings = how often photos come
why = Photo { $id }: { $status }
    Rule: { $rule }. { $reason }
    Workflow: { $workflow }, { $orientation }
    Prompt: { $prompt }
why-how = Reply with /why to a photo, or write /why and its number.
why-unknown = There is no such photo.
# Goes to the language model as the person's words when /photo is used.
photo-wish = Send me a photo. { $wish }
