"""Ordinary English words, which are never taken for typing errors."""

_WORDS = """
able about above accident across action active actual add after again against age ago ahead air all almost alone along
already also alter always among and angle animal another answer any anyone anything area arena aria arm around art ask
asked assistance away baby back bad bag bake ball bank bar bark barn base basket bat bath bathe beam bear beat bed bee
been beer before began begin behind being believe bell below belt bench bend beside best better between big bike bin
bird bit bite black blade blew block blood blow blur board boat body boil bold bolt bone book boot bored born bot both
bottle bottom bowl box boy branch bread break brew brick bridge bright bring broad broken brown brush bucket bug build
building built bulb bump burn bus bush business busy but buy cab cabin cable cage cake call called came can candle
cane cannot cap car card care carpet carry cars cart carton cartoon case cash cast cat catch ceiling cell center
centre chain chair chance change cheap check cheese child choice choose chose church circle city claim clan clash
class clay clean clear clever click cliff climb clock cloister clone close closed closet cloth clothes cloud clover
club clue coach coal coast coat code coffee coin cold collection college colon color colour com comb come comet common
compare computer concert cone contract convert cook cool cord core corner correct cost couch could count country
couple course cover covert cow crane creep crew crop cross crowd cry cup cure curtain cut dark date day dead deal dear
death debt deck deed deer delay den dense derive desk detect detection dial dice did die diet different dig dim dinner
dip dirt disc dish disk display distinct dive division doctor does dog doing doll donation done door dose double down
draft drag drain draw drawn dream dress drink driver drop dry duck due dull dump during dust each ear early earn earth
ease east easy eat edge edit egg either elect election else empty end engine enough enter equal ether even event ever
every exact exit explain eye face fact fail fair faith fall false family fan farm fashion fat fate father fault favor
feast feat feather feature fee feed feel fell fellow felt fence few field fifth fight figure file fill film final find
fine finger finish fir fire firm first fish fist fit five fix flag flame flash flat flaw fleet flew flex floor flow
flower flown fly foam focus fog fold folk follow font food fool for force ford forest fork form fort forth found
fountain four fraction frame free fresh friend from fruit fry fuel full fun fund funny fur furnace furniture future
gain game gang gape garage garden gas gasp gate gave gear get ghost giant gift girl give given glad glass globe glove
glow glue goal goat goes going gold gone good got gram grand grape grass grave gravel great greed greek greet grew
grey grin grip ground group grow guard guess guest guide gun guy hair half hall halo halt hand handle hang happen
happy hard has hat hate have head heal heap hear heart heat heavy hedge height held hello help hen her herd here hero
hers hidden hide high hill him hip hire his hit hive hold hole holy home hook hope horn horse hose hospital host hot
hotel hour house huge human hung hunt hurt ice idea identity image info inside instance instead int into intro iron
island item its jar jeans job join joint joke judge juice jump just keen keep kept kettle key kick kid kill kind king
kit kitchen knee knew knife know known lace lack lad lady lake lamb lamp land lane lap large laser last late lately
latent latest latex latter laugh law lawn lay layer lazy lead leaf lean leap learn lease least leather leave led left
leg lemon lend lens lent less lesson let letter level lib lid lie life lift light like limb line link lint lion lip
list lite literal literally little live load loan lock log logger lone look loop loose lord lose loser loss lost lot
loud love low lower luck lunch lung made mail main make male man mane many map march mark market mask master mat match
mate matter may meal mean meant meat meet melt member men mend menu mercy mere merit mess met metal metro mice middle
might mile milk mill mind mine mini minor mint minus mirror miss mission mix mixer moan mode model modern mold moment
monday money monitor monkey month mood moon moose mop moral more morning morse most moth mother mount mountain mouse
mouth mover movie much mud mug music must nail name narrow nation native nature neat neck need needle neighbor
neighbour neither nerd nest net never new news next nice night nine nobody noise none noon nor north nose not notation
note nothing notice notion now number nurse nut oak object ocean odd off offer office often oil old once one onion
only onto open optimal option order other ought our out oven over own owner pace pack page paid pain paint pair pale
palm pan pane pant paper parent park parse part party pass passive past paste path patient pause paw pay peace peak
pear peer pen people per perhaps person phone photo photon piano pick picture piece pig pile pilot pin pine pink pint
pipe pit place plain plan plane planet plant plate play please plot plug plus poem poet poke pole police polite pond
pool poor pop porch port pos pose position positional positive post pot potion pound pour power pre present press
pretty price pride print prize prone proper prose proud pull pump punch pure purple purpose push put quarter queen
quick quiet quirk quite race rack radio rag rage rail rain raise ran ranch rang rank rare rat rather raw ray razor
reach react reactive read reader ready real rear reason record recover red redo reed relate relation rely remain
remove rent reply resistance rest retain reverse rib rice rich rid ride right ring rise river roach road roast rob
rock rod roll roof room root rope rose rot rotational rough round route row rub rude rug rule run rush rust sack sad
saddle safe said sail salad sale salt same sand sat save saw say scale scene school science score sea seal season seat
secret section see seed seek seem seen seldom self sell send senior sense sent separator serve session set seven shade
shadow shake shall shape share sharp she shed sheep sheet shelf shell ship shirt shoe shoot shop shore short
shortcut shot should shout show shut sick side sift sign silence silver since sing single sink sister sit site six
size skill skin skirt sky sleep slice slide slight slip slot slow small smart smell smile smoke smooth snake snow soap
social sock sofa soft soil sold some son song soon sore sort soul sound soup south spade spare speak spec special
specs speech spell spend spice spider spill spin spine spoke spoon sport spot spray spread spring square stack staff
stage stair stall stamp stand star start state station stay steak steal steam steel stem step stick still stone stood
stool stop store storm story stove strange street strike string strong student such sugar suit summer sun sure sweet
swift swim swing sword table tag tail take tale talk tall tan tank tap tape target task taste tax tea teach team tear
tell ten tend tent term test than thank that the their them theme then there these they thick thin thing think third
this thorn those thought thread three threw through throw thumb thus tick ticket tide tidy tie tiger tight tile till
tilt timber timer tin tiny tip tire tired title toast today toe token told tomb tone tongue tonight too took tool
tooth top torch torn total tough tow toward towel tower town toy trace track trade traffic trail train transaction
transfer transition translate transport trap trash travel traverse tray treat tree trial trick trip trouble truck true
trunk trust truth try tube tune tunnel turf twelve twice twin two type under union unit until upon upper upset use
used usual vague valley value van vase vast version vertices very vet viewport village vine vintage vision visit voice
wag wait wake walk wall want war ward warm was wash waste watch water wave wax way weak wear weather web wedding weed
week weight well went were west wet whale wheat wheel where while whine whip whole whom whose why wide widow wife wig
wild will win wind window wine wing winter wipe wire wise wish wit witch with without woman won wood wool word work
world worm worry worse worst worth would wound wrap write writer wrong yard yarn yeah year yell yes yet you young your
youth zone
"""

ORDINARY = frozenset(_WORDS.split())
"""Words that are common, or that differ by one letter from words in questions about pictures."""
